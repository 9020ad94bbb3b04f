/* A world of image files in memory: content as a few blocks, headers as two words.
 *
 * Gives surveys of its files, plays the steps of plans on them by rules of its own, and holds the
 * model that the plans are made from. So a plan is judged by what it does to bytes and not by what
 * the planner believes. A step that would lose or corrupt something ends the test.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-planner.h"

#define WORLD_BLOCKS 6
#define WORLD_BLOCK_SIZE 65536
#define WORLD_CAPACITY (WORLD_BLOCKS * (guint64) WORLD_BLOCK_SIZE)
#define WORLD_HOLE (-1)
/* What begins like this is the name of a mark that somebody else made. */
#define WORLD_FOREIGN "foreign"

/* An internal snapshot: a copy of what the layer alone has. */
typedef struct
{
  char *id;
  char *name;
  int blocks[WORLD_BLOCKS];
  guint64 capacity;
} WorldTag;

/* A persistent dirty bitmap, with what it recorded. */
typedef struct
{
  char *name;
  gboolean is_recording;
  gboolean is_broken;
  gboolean blocks[WORLD_BLOCKS];
} WorldBitmap;

typedef struct
{
  char *path;
  char *format;
  char *backing; /* as the header names it */
  int blocks[WORLD_BLOCKS];
  guint64 capacity;
  GPtrArray *tags; /* WorldTag */
  guint n_tags_made;
  GPtrArray *bitmaps;    /* WorldBitmap */
  gboolean is_completed; /* for a commit: they know what those below know */
  guint64 file_system;
  guint64 inode;
  gboolean is_written; /* by another process */
  int problem;         /* a StemmaError that the survey finds, or -1 */
} WorldFile;

typedef struct
{
  StmModel *model;
  GHashTable *files; /* path -> WorldFile */
  guint64 free_bytes;
  guint n_ids;
  guint n_inodes;
  gint64 now;
  gboolean is_calm;    /* no step is killed half way */
  gboolean kills_hard; /* half done steps leave bitmaps of what they wrote to broken */
} World;

World *world_new (void);
void world_free (World *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)

/* Files. */
WorldFile *world_add_file (World *world, const char *path, const char *format, const char *backing);
WorldFile *world_get_file (const World *world, const char *path);
void world_remove_file (World *world, const char *path);
void world_add_tag (WorldFile *file, const char *name);
WorldTag *world_find_tag (const WorldFile *file, const char *name); /* NULL: none */
/* Empty and recording. */
WorldBitmap *world_add_bitmap (WorldFile *file, const char *name);
WorldBitmap *world_find_bitmap (const WorldFile *file, const char *name); /* NULL: none */
gboolean world_bitmap_is_in_order (const WorldBitmap *bitmap);            /* NULL: not */
/* Data comes to the block: what records notes it. */
void world_note_write (WorldFile *file, guint block);
/* Whoever had the file open for writing was killed. */
void world_break_bitmaps (WorldFile *file);
/* What a guest would read; holes at the end of the chain read as 0. */
void world_read (const World *world, const char *path, int *out_blocks);
/* The same, were the image brought back to its internal snapshot. */
void world_read_tag (const World *world, const char *path, const char *name, int *out_blocks);
StmSurvey *world_survey (const World *world, const GPtrArray *images);

GStrv world_list_children (const World *world, const char *path);
void world_assert_header (const WorldFile *file, const StmImage *image);
char *world_new_id (World *world);

/* Domains. `targets` with a qcow2 image /i/<domain>-<target>.qcow2 each. */
void world_define (World *world, const char *name, const char *const *targets);
const StmDomain *world_domain (const World *world, const char *name);
const StmDisk *world_disk (const World *world, const char *name, const char *target);
void world_set_disk (World *world, const char *name, const StmDisk *disk);
const StmImage *world_image (const World *world, const char *domain, const char *path);
void world_put_image (World *world, const char *name, const StmImage *image);
/* The guest writes to the disk's active image. */
void world_write (World *world, const char *name, const char *target, int block, int value);

/* Snapshots, by name. */
const StmTree *world_tree (const World *world, const char *domain);
const StmMoment *world_moment (const World *world, const char *domain, const char *name);
void world_put_moment (World *world, const char *domain, const StmMoment *moment);

/* Checkpoints, by name. */
const StmTree *world_checkpoints (const World *world, const char *domain);
const StmMoment *world_checkpoint (const World *world, const char *domain, const char *name);
/* What a backup since the checkpoint would take from the disk: the union of its bitmap from the
 * active image down to where it was begun. FALSE when a link of that is not in order. */
gboolean world_read_checkpoint (const World *world, const char *domain, const StmMoment *checkpoint,
                                const char *target, gboolean *out_blocks);
/* Looks at all images of the domain, and puts on record what that shows of its checkpoints. */
void world_look (World *world, const char *domain);

/* Plans. */
StmPlan *world_plan_create (World *world, const char *domain, const StmCreateRequest *request,
                            GError **error);
StmPlan *world_plan_revert (World *world, const char *domain, const char *moment,
                            StmRevertRequest request, GError **error);
StmPlan *world_plan_delete (World *world, const char *domain, const char *moment,
                            StmDeleteRequest request, GError **error);
StmPlan *world_plan_checkpoint (World *world, const char *domain,
                                const StmCreateCheckpointRequest *request, GError **error);
StmPlan *world_plan_delete_checkpoint (World *world, const char *domain, const char *checkpoint,
                                       StmDeleteRequest request, GError **error);
StmPlan *
world_plan_undefine (World *world, const char *domain, StmMomentsChoice moments, GError **error);
/* The steps on one line: "overlay b>a [bitmap], commit c>b (d e), stream b>c, unlink c, keep b",
 * base names only. */
char *world_tell (const StmPlan *plan);

/* Does the whole plan: begin, steps, finish, unlinks; the plan goes through a variant now and then.
 * After each step, half done ones too, `watch` is called when it is set. */
typedef void (*WorldWatch) (const World *world, gpointer user_data);
void world_run (World *world, const StmPlan *plan, WorldWatch watch, gpointer user_data);
/* Applies begin, does the first `n_steps` steps, which can all be taken back, takes them back, and
 * applies undo instead of finish. */
void world_undo (World *world, const StmPlan *plan, guint n_steps);
/* Applies begin, does the first `n_merges` merges and half of the next, and abandons the plan. */
void world_abandon (World *world, const StmPlan *plan, guint n_merges);
void world_apply (World *world, const StmChange *change);

/* Create, revert, delete and run, for the way to the case that a test is about. */
void world_create (World *world, const char *domain, const char *name);
void world_revert (World *world, const char *domain, const char *name);
char *world_delete (World *world, const char *domain, const char *name, StmDeleteScope scope);
void world_make_checkpoint (World *world, const char *domain, const char *name);
char *
world_delete_checkpoint (World *world, const char *domain, const char *name, StmDeleteScope scope);

/* The parts of steps that are about bitmaps; called when the data is where it is to be, but for
 * commit_begin. `is_whole`: not half done. */
void world_do_bitmap (World *world, const StmStep *step);
void world_do_unbitmap (World *world, const StmPlan *plan, const StmStep *step);
void world_do_overlay_bitmaps (World *world, const StmStep *step);
void world_do_commit_begin (World *world, const StmStep *step);
void world_do_commit_end (World *world, const StmStep *step, gboolean is_whole);
void world_do_stream_end (World *world, const StmStep *step, gboolean is_whole);

/* Compares the records with the headers, and the holders with the files that are there. */
void world_check (const World *world);
