/* sim_disk.c: see sim_disk.h. */
#include "sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { SECTOR = 512, NAME_MAX_BYTES = 64, FILES_MAX = 256, OUT_MAX = 256, ROOT = 0 };
#define LATENCY_NS UINT64_C(100000)

/* A sector as somebody wrote it, not durable yet. In the order of completion; those in flight come last. */
struct version {
    uint32_t sector;
    uint64_t write; /* number of the write that brought it */
    uint8_t bytes[SECTOR];
};

struct name {
    char text[NAME_MAX_BYTES];
    uint32_t inode;
};

struct names {
    struct name *list;
    uint32_t count, room;
};

enum change_kind { CHANGE_LINK, CHANGE_UNLINK, CHANGE_RENAME };
struct change {
    enum change_kind kind;
    char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES];
    uint32_t inode;
};

struct inode {
    bool is_directory;
    /* of a file */
    uint8_t *now, *safe;
    uint64_t room;
    uint64_t size_now, size_safe;
    struct version *versions;
    uint32_t version_count, version_room;
    uint32_t links;
    struct disk *exclusive;
    /* of a directory */
    struct names names_now, names_safe;
    struct change *changes;
    uint32_t change_count, change_room;
};

struct fault {
    enum disk_kind kind;
    uint64_t nth;
    int error;
};

struct sim_medium {
    struct seeded seeded;
    struct inode *inodes;
    uint32_t inode_count, inode_room;
    uint64_t writes; /* ever completed */
    uint64_t now_ns;
    sim_hook hook;
    void *hook_context;
    struct disk_op *out[OUT_MAX]; /* submitted, not completed */
    uint64_t due_ns[OUT_MAX];
    uint64_t covers[OUT_MAX];     /* SYNC: writes up to this one */
    int32_t inode_out[OUT_MAX];   /* whose file it is: the door may be closed by then */
    uint32_t out_count;
    struct disk_op *running;      /* by a plain call */
    int32_t running_inode;
    struct fault fault;
};

struct sim {
    struct disk disk;
    struct sim_medium *medium;
    int32_t files[FILES_MAX]; /* inode, or -1 */
};

/* ------------------------------------------------------------------------------------------------------------ names */

static struct name *name_find(const struct names *names, const char *text)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i].text, text) == 0) return &names->list[i];
    return NULL;
}

static void name_put(struct names *names, const char *text, uint32_t inode)
{
    struct name *name = name_find(names, text);
    if (!name) {
        if (names->count == names->room) {
            names->room = names->room ? names->room * 2 : 16;
            names->list = realloc(names->list, names->room * sizeof *names->list);
            CHECK(names->list != NULL);
        }
        name = &names->list[names->count++];
        CHECK_LT(strlen(text), NAME_MAX_BYTES);
        strcpy(name->text, text);
    }
    name->inode = inode;
}

static void name_take(struct names *names, const char *text)
{
    struct name *name = name_find(names, text);
    if (name) *name = names->list[--names->count];
}

static void names_apply(struct names *names, const struct change *change)
{
    if (change->kind != CHANGE_LINK) name_take(names, change->from);
    if (change->kind != CHANGE_UNLINK) name_put(names, change->to, change->inode);
}

static void names_copy(struct names *to, const struct names *from)
{
    *to = (struct names){.count = from->count, .room = from->count};
    if (from->count == 0) return;
    to->list = malloc(from->count * sizeof *to->list);
    CHECK(to->list != NULL);
    memcpy(to->list, from->list, from->count * sizeof *to->list);
}

static void change_names(struct inode *directory, struct change change)
{
    if (directory->change_count == directory->change_room) {
        directory->change_room = directory->change_room ? directory->change_room * 2 : 8;
        directory->changes = realloc(directory->changes, directory->change_room * sizeof change);
        CHECK(directory->changes != NULL);
    }
    directory->changes[directory->change_count++] = change;
    names_apply(&directory->names_now, &change);
}

static void sync_names(struct inode *directory)
{
    for (uint32_t i = 0; i < directory->change_count; i++) names_apply(&directory->names_safe, &directory->changes[i]);
    directory->change_count = 0;
}

/* ------------------------------------------------------------------------------------------------------------ bytes */

static void grow(struct inode *inode, uint64_t bytes)
{
    const uint64_t room = align_up(bytes, 65536);
    if (room <= inode->room) return;
    inode->now = realloc(inode->now, room);
    inode->safe = realloc(inode->safe, room);
    CHECK(inode->now && inode->safe);
    memset(inode->now + inode->room, 0, room - inode->room);
    memset(inode->safe + inode->room, 0, room - inode->room);
    inode->room = room;
}

/* A version that changes nothing is none: so the ways a cut can end are counted by what can be told apart. */
static void add_version(struct inode *inode, uint32_t sector, uint64_t write, const uint8_t *bytes)
{
    bool is_news = memcmp(inode->safe + (uint64_t)sector * SECTOR, bytes, SECTOR) != 0;
    for (uint32_t i = 0; !is_news && i < inode->version_count; i++) is_news = inode->versions[i].sector == sector;
    if (!is_news) return;
    if (inode->version_count == inode->version_room) {
        inode->version_room = inode->version_room ? inode->version_room * 2 : 64;
        inode->versions = realloc(inode->versions, inode->version_room * sizeof *inode->versions);
        CHECK(inode->versions != NULL);
    }
    struct version *version = &inode->versions[inode->version_count++];
    version->sector = sector;
    version->write = write;
    memcpy(version->bytes, bytes, SECTOR);
}

/* Each sector that a write touches, as it would be after it. */
static void add_write(struct inode *inode, uint64_t write, const struct disk_op *op)
{
    const uint64_t end = op->offset + op->bytes;
    grow(inode, end);
    for (uint64_t sector = op->offset / SECTOR; sector * SECTOR < end; sector++) {
        uint8_t bytes[SECTOR];
        memcpy(bytes, inode->now + sector * SECTOR, SECTOR);
        const uint64_t from = max_u64(op->offset, sector * SECTOR), upto = min_u64(end, (sector + 1) * SECTOR);
        memcpy(bytes + (from - sector * SECTOR), (const uint8_t *)op->data + (from - op->offset), upto - from);
        add_version(inode, (uint32_t)sector, write, bytes);
    }
}

static void write_now(struct inode *inode, uint64_t write, const struct disk_op *op)
{
    add_write(inode, write, op);
    memcpy(inode->now + op->offset, op->data, op->bytes);
    inode->size_now = max_u64(inode->size_now, op->offset + op->bytes);
}

/* Everything written up to `write` is durable, in its newest version. */
static void sync_bytes(struct inode *inode, uint64_t write)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < inode->version_count; i++) {
        const struct version *version = &inode->versions[i];
        if (version->write <= write)
            memcpy(inode->safe + (uint64_t)version->sector * SECTOR, version->bytes, SECTOR);
        else
            inode->versions[left++] = *version;
    }
    inode->version_count = left;
    inode->size_safe = inode->size_now;
}

/* A durable write makes its own sectors safe, and leaves the others. */
static void sync_write(struct inode *inode, uint64_t write, const struct disk_op *op)
{
    const uint64_t first = op->offset / SECTOR, end = (op->offset + op->bytes + SECTOR - 1) / SECTOR;
    uint32_t left = 0;
    for (uint32_t i = 0; i < inode->version_count; i++) {
        const struct version *version = &inode->versions[i];
        if (version->sector < first || version->sector >= end || version->write > write)
            inode->versions[left++] = *version;
        else
            memcpy(inode->safe + (uint64_t)version->sector * SECTOR, version->bytes, SECTOR);
    }
    inode->version_count = left;
    inode->size_safe = max_u64(inode->size_safe, min_u64(inode->size_now, op->offset + op->bytes));
}

static void resize(struct inode *inode, uint64_t bytes)
{
    grow(inode, bytes);
    if (bytes < inode->size_now) memset(inode->now + bytes, 0, inode->size_now - bytes);
    inode->size_now = bytes;
}

/* ----------------------------------------------------------------------------------------------------------- medium */

static uint32_t new_inode(struct sim_medium *medium, bool is_directory)
{
    if (medium->inode_count == medium->inode_room) {
        medium->inode_room = medium->inode_room ? medium->inode_room * 2 : 32;
        medium->inodes = realloc(medium->inodes, medium->inode_room * sizeof *medium->inodes);
        CHECK(medium->inodes != NULL);
    }
    medium->inodes[medium->inode_count] = (struct inode){.is_directory = is_directory, .links = 1};
    return medium->inode_count++;
}

static struct sim_medium *new_medium(uint64_t seed)
{
    struct sim_medium *medium = calloc(1, sizeof *medium);
    CHECK(medium != NULL);
    medium->seeded.state = seed;
    medium->now_ns = UINT64_C(1000000000);
    medium->running_inode = -1;
    return medium;
}

struct sim_medium *sim_make(uint64_t seed)
{
    struct sim_medium *medium = new_medium(seed);
    (void)new_inode(medium, true);
    const uint32_t store = new_inode(medium, true);
    change_names(&medium->inodes[ROOT], (struct change){.kind = CHANGE_LINK, .to = "store", .inode = store});
    sync_names(&medium->inodes[ROOT]);
    return medium;
}

void sim_free(struct sim_medium *medium)
{
    for (uint32_t i = 0; i < medium->inode_count; i++) {
        struct inode *inode = &medium->inodes[i];
        free(inode->now);
        free(inode->safe);
        free(inode->versions);
        free(inode->names_now.list);
        free(inode->names_safe.list);
        free(inode->changes);
    }
    free(medium->inodes);
    free(medium);
}

void sim_set_hook(struct sim_medium *medium, sim_hook hook, void *context)
{
    medium->hook = hook;
    medium->hook_context = context;
}

void sim_fail(struct sim_medium *medium, enum disk_kind kind, uint64_t nth, int error)
{
    medium->fault = (struct fault){.kind = kind, .nth = nth, .error = error};
}

/* ------------------------------------------------------------------------------------------------------------- cuts */

/* One question that a cut decides: how many answers, and which was given. */
struct chooser {
    struct seeded *seeded; /* random; NULL: the digits of `left` */
    uint64_t left;
    uint64_t outcomes;     /* counting only */
    uint32_t bias;         /* 0: all old, 1: all new, else each on its own */
    bool counts;
};

static uint32_t choose(struct chooser *chooser, uint32_t answers)
{
    if (chooser->counts) {
        chooser->outcomes = chooser->outcomes > UINT64_MAX / answers ? UINT64_MAX : chooser->outcomes * answers;
        return 0;
    }
    if (!chooser->seeded) {
        const uint32_t answer = (uint32_t)(chooser->left % answers);
        chooser->left /= answers;
        return answer;
    }
    if (chooser->bias == 0) return 0;
    return chooser->bias == 1 ? answers - 1 : seeded_below(chooser->seeded, answers);
}

static int compare_versions(const void *a, const void *b)
{
    const struct version *x = *(const struct version *const *)a, *y = *(const struct version *const *)b;
    if (x->sector != y->sector) return x->sector < y->sector ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Of each sector one version, or what was durable. `to` NULL: only counts. */
static void choose_sectors(const struct inode *from, struct inode *to, struct chooser *chooser)
{
    const uint32_t count = from->version_count;
    if (count == 0) return;
    const struct version **sorted = malloc(count * sizeof(const struct version *));
    CHECK(sorted != NULL);
    for (uint32_t i = 0; i < count; i++) sorted[i] = &from->versions[i];
    qsort(sorted, count, sizeof(const struct version *), compare_versions);
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && sorted[end]->sector == sorted[i]->sector;) end++;
        const uint32_t answer = choose(chooser, end - i + 1);
        if (to && answer > 0)
            memcpy(to->safe + (uint64_t)sorted[i]->sector * SECTOR, sorted[i + answer - 1]->bytes, SECTOR);
    }
    free(sorted);
}

/* The writes that are out, as versions behind the completed ones. */
static void add_flying(struct inode *inode, const struct sim_medium *medium, uint32_t number)
{
    for (uint32_t i = 0; i < medium->out_count; i++)
        if (medium->inode_out[i] == (int32_t)number && medium->out[i]->kind == DISK_WRITE)
            add_write(inode, UINT64_MAX, medium->out[i]);
    if (medium->running && medium->running_inode == (int32_t)number && medium->running->kind == DISK_WRITE)
        add_write(inode, UINT64_MAX, medium->running);
}

static void copy_bytes(struct inode *to, const struct inode *from)
{
    to->room = from->room;
    to->size_now = from->size_now;
    to->size_safe = from->size_safe;
    if (from->room > 0) {
        to->now = malloc(from->room);
        to->safe = malloc(from->room);
        CHECK(to->now && to->safe);
        memcpy(to->now, from->now, from->room);
        memcpy(to->safe, from->safe, from->room);
    }
    if (from->version_count > 0) {
        to->versions = malloc(from->version_count * sizeof *to->versions);
        CHECK(to->versions != NULL);
        memcpy(to->versions, from->versions, from->version_count * sizeof *to->versions);
        to->version_count = to->version_room = from->version_count;
    }
}

static void end_file(struct inode *to, const struct inode *from, const struct sim_medium *medium, uint32_t number,
                     enum sim_end end, struct chooser *chooser)
{
    copy_bytes(to, from);
    add_flying(to, medium, number);
    if (end == SIM_KILL) { /* what flew has landed in the cache, or has not, sector by sector */
        const uint64_t completed = medium->writes;
        for (uint32_t i = 0; i < to->version_count; i++) {
            struct version *version = &to->versions[i];
            if (version->write != UINT64_MAX) continue;
            version->write = completed;
            if (choose(chooser, 2) == 0) version->write = UINT64_MAX;
            if (version->write == completed)
                memcpy(to->now + (uint64_t)version->sector * SECTOR, version->bytes, SECTOR);
        }
        uint32_t left = 0;
        for (uint32_t i = 0; i < to->version_count; i++)
            if (to->versions[i].write != UINT64_MAX) to->versions[left++] = to->versions[i];
        to->version_count = left;
        return;
    }
    choose_sectors(to, to, chooser);
    to->version_count = 0;
    if (to->size_now != to->size_safe && choose(chooser, 2) == 1) to->size_safe = to->size_now;
    to->size_now = to->size_safe;
    if (to->room > 0) {
        memset(to->safe + to->size_safe, 0, to->room - to->size_safe);
        memcpy(to->now, to->safe, to->room);
    }
}

static void end_directory(struct inode *to, const struct inode *from, enum sim_end end, struct chooser *chooser)
{
    names_copy(&to->names_safe, &from->names_safe);
    if (end == SIM_KILL) {
        names_copy(&to->names_now, &from->names_now);
        to->changes = malloc((from->change_count + 1) * sizeof *to->changes);
        CHECK(to->changes != NULL);
        if (from->change_count > 0) memcpy(to->changes, from->changes, from->change_count * sizeof *to->changes);
        to->change_count = from->change_count;
        to->change_room = from->change_count + 1;
        return;
    }
    const uint32_t kept = from->change_count > 0 ? choose(chooser, from->change_count + 1) : 0;
    for (uint32_t i = 0; i < kept; i++) names_apply(&to->names_safe, &from->changes[i]);
    names_copy(&to->names_now, &to->names_safe);
}

static struct sim_medium *end_now(const struct sim_medium *medium, enum sim_end end, struct chooser *chooser)
{
    struct sim_medium *left = new_medium(medium->seeded.state ^ 0x5eed);
    left->now_ns = medium->now_ns + LATENCY_NS;
    left->writes = medium->writes;
    for (uint32_t i = 0; i < medium->inode_count; i++) {
        const struct inode *from = &medium->inodes[i];
        const uint32_t number = new_inode(left, from->is_directory);
        struct inode *to = &left->inodes[number];
        to->links = 0;
        if (from->is_directory)
            end_directory(to, from, end, chooser);
        else
            end_file(to, from, medium, i, end, chooser);
    }
    for (uint32_t i = 0; i < left->inode_count; i++)
        for (uint32_t n = 0; n < left->inodes[i].names_now.count; n++)
            left->inodes[left->inodes[i].names_now.list[n].inode].links++;
    return left;
}

struct sim_medium *sim_cut(const struct sim_medium *medium, enum sim_end end, struct seeded *seeded)
{
    struct chooser chooser = {.seeded = seeded, .bias = seeded_below(seeded, 6)};
    return end_now(medium, end, &chooser);
}

struct sim_medium *sim_cut_nth(const struct sim_medium *medium, uint64_t n)
{
    struct chooser chooser = {.left = n};
    return end_now(medium, SIM_POWER, &chooser);
}

uint64_t sim_outcomes(const struct sim_medium *medium)
{
    struct chooser chooser = {.counts = true, .outcomes = 1};
    for (uint32_t i = 0; i < medium->inode_count; i++) {
        const struct inode *inode = &medium->inodes[i];
        if (inode->is_directory) {
            if (inode->change_count > 0) (void)choose(&chooser, inode->change_count + 1);
            continue;
        }
        struct inode copy = {0};
        bool is_flying = medium->running && medium->running_inode == (int32_t)i;
        for (uint32_t o = 0; o < medium->out_count; o++) is_flying |= medium->inode_out[o] == (int32_t)i;
        if (is_flying) {
            copy_bytes(&copy, inode);
            add_flying(&copy, medium, i);
        }
        choose_sectors(is_flying ? &copy : inode, NULL, &chooser);
        if (is_flying) {
            free(copy.now);
            free(copy.safe);
            free(copy.versions);
        }
        if (inode->size_now != inode->size_safe) (void)choose(&chooser, 2);
    }
    return chooser.outcomes;
}

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    while (bytes-- > 0) hash = (hash ^ *at++) * UINT64_C(0x100000001b3);
    return hash;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static uint64_t fingerprint(const struct sim_medium *medium, uint32_t number, uint64_t hash)
{
    const struct inode *inode = &medium->inodes[number];
    if (!inode->is_directory) return mix(mix(hash, &inode->size_safe, 8), inode->safe, inode->size_safe);
    struct names names;
    names_copy(&names, &inode->names_safe);
    if (names.count > 1) qsort(names.list, names.count, sizeof *names.list, compare_names);
    for (uint32_t i = 0; i < names.count; i++) {
        hash = mix(hash, names.list[i].text, strlen(names.list[i].text));
        hash = fingerprint(medium, names.list[i].inode, hash);
    }
    free(names.list);
    return hash;
}

uint64_t sim_fingerprint(const struct sim_medium *medium) { return fingerprint(medium, ROOT, 1); }

/* ------------------------------------------------------------------------------------------------------- operations */

static struct sim *sim_of(struct disk *disk) { return (struct sim *)(void *)disk; }

static struct inode *inode_of(const struct sim *sim, int32_t file)
{
    CHECK(file >= 0 && file < FILES_MAX);
    CHECK(sim->files[file] >= 0); /* closed, or never open */
    return &sim->medium->inodes[sim->files[file]];
}

/* The directory that a name is relative to, and the name in it: "a/b" walks, ".." of a directory in the root is the
 * root. */
static int walk(const struct sim *sim, int32_t dir, const char *path, uint32_t *directory_out, const char **name_out)
{
    uint32_t at = dir == DISK_CWD ? ROOT : (uint32_t)sim->files[dir];
    for (;;) {
        const char *slash = strchr(path, '/');
        if (!slash) break;
        char part[NAME_MAX_BYTES];
        CHECK_LT((size_t)(slash - path), sizeof part);
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = 0;
        const struct name *name = name_find(&sim->medium->inodes[at].names_now, part);
        if (!name) return ENOENT;
        at = name->inode;
        path = slash + 1;
    }
    *directory_out = at;
    *name_out = path;
    return 0;
}

static int run_open(struct sim *sim, struct disk_op *op)
{
    struct sim_medium *medium = sim->medium;
    uint32_t directory;
    const char *text;
    const int error = walk(sim, op->dir, op->name, &directory, &text);
    if (error) return error;
    uint32_t inode = ROOT;
    if (strcmp(text, "..") != 0) {
        const struct name *name = name_find(&medium->inodes[directory].names_now, text);
        if (name && (op->flags & DISK_CREATE)) return EEXIST;
        if (!name && !(op->flags & (DISK_CREATE | DISK_OR_CREATE))) return ENOENT;
        if (name) {
            inode = name->inode;
        } else {
            inode = new_inode(medium, false);
            struct change change = {.kind = CHANGE_LINK, .inode = inode};
            strcpy(change.to, text);
            change_names(&medium->inodes[directory], change);
        }
    }
    if ((op->flags & DISK_DIRECTORY) && !medium->inodes[inode].is_directory) return ENOTDIR;
    for (int32_t file = 0; file < FILES_MAX; file++)
        if (sim->files[file] < 0) {
            sim->files[file] = (int32_t)inode;
            op->file = file;
            return 0;
        }
    return EMFILE;
}

static int run_rename(struct sim *sim, const struct disk_op *op)
{
    struct inode *directory = inode_of(sim, op->dir);
    const struct name *from = name_find(&directory->names_now, op->name);
    const struct name *to = name_find(&directory->names_now, op->to);
    if (!from) return ENOENT;
    if (to && !(op->flags & DISK_REPLACE)) return EEXIST;
    if (to && to->inode != from->inode) sim->medium->inodes[to->inode].links--;
    struct change change = {.kind = CHANGE_RENAME, .inode = from->inode};
    strcpy(change.from, op->name);
    strcpy(change.to, op->to);
    change_names(directory, change);
    return 0;
}

static int run_unlink(struct sim *sim, const struct disk_op *op)
{
    struct inode *directory = inode_of(sim, op->dir);
    const struct name *name = name_find(&directory->names_now, op->name);
    if (!name) return ENOENT;
    sim->medium->inodes[name->inode].links--;
    struct change change = {.kind = CHANGE_UNLINK, .inode = name->inode};
    strcpy(change.from, op->name);
    change_names(directory, change);
    return 0;
}

static int run_mkdir(struct sim *sim, const struct disk_op *op)
{
    uint32_t directory;
    const char *text;
    const int error = walk(sim, op->dir, op->name, &directory, &text);
    if (error) return error;
    if (name_find(&sim->medium->inodes[directory].names_now, text)) return EEXIST;
    const uint32_t made = new_inode(sim->medium, true);
    struct change change = {.kind = CHANGE_LINK, .inode = made};
    strcpy(change.to, text);
    change_names(&sim->medium->inodes[directory], change);
    return 0;
}

static int run_link(struct sim *sim, const struct disk_op *op)
{
    struct inode *directory = inode_of(sim, op->file);
    const struct name *from = name_find(&inode_of(sim, op->dir)->names_now, op->name);
    if (!from) return ENOENT;
    if (name_find(&directory->names_now, op->to)) return EEXIST;
    sim->medium->inodes[from->inode].links++;
    struct change change = {.kind = CHANGE_LINK, .inode = from->inode};
    strcpy(change.to, op->to);
    change_names(directory, change);
    return 0;
}

static void run_read(struct inode *inode, struct disk_op *op)
{
    const uint64_t end = min_u64(inode->size_now, op->offset + op->bytes);
    op->done = end > op->offset ? end - op->offset : 0;
    if (op->done > 0) memcpy(op->data, inode->now + op->offset, op->done);
}

static int effect(struct sim *sim, struct disk_op *op, uint64_t covers)
{
    struct sim_medium *medium = sim->medium;
    switch (op->kind) {
    case DISK_WRITE: {
        struct inode *inode = inode_of(sim, op->file);
        const uint64_t write = ++medium->writes;
        write_now(inode, write, op);
        if (op->flags & DISK_DSYNC) sync_write(inode, write, op);
        op->done = op->bytes;
        return 0;
    }
    case DISK_READ: run_read(inode_of(sim, op->file), op); return 0;
    case DISK_SYNC:
    case DISK_SYNC_ALL:
        if (inode_of(sim, op->file)->is_directory)
            sync_names(inode_of(sim, op->file));
        else
            sync_bytes(inode_of(sim, op->file), covers);
        return 0;
    case DISK_OPEN: return run_open(sim, op);
    case DISK_CLOSE: {
        struct inode *inode = inode_of(sim, op->file);
        if (inode->exclusive == &sim->disk) inode->exclusive = NULL;
        sim->files[op->file] = -1;
        return 0;
    }
    case DISK_ALLOCATE: {
        struct inode *inode = inode_of(sim, op->file);
        if (op->bytes > inode->size_now) resize(inode, op->bytes);
        return 0;
    }
    case DISK_TRUNCATE: resize(inode_of(sim, op->file), op->bytes); return 0;
    case DISK_RENAME: return run_rename(sim, op);
    case DISK_UNLINK: return run_unlink(sim, op);
    case DISK_MKDIR: return run_mkdir(sim, op);
    case DISK_LINK: return run_link(sim, op);
    case DISK_POPULATE: return 0;
    case DISK_KIND_COUNT: break;
    }
    return EINVAL;
}

static bool has_file(const struct disk_op *op)
{
    return op->kind == DISK_WRITE || op->kind == DISK_READ || op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL;
}

static bool changes_anything(const struct disk_op *op)
{
    return op->kind != DISK_READ && op->kind != DISK_POPULATE && op->kind != DISK_CLOSE;
}

static void finish(struct sim *sim, struct disk_op *op, uint64_t covers)
{
    struct sim_medium *medium = sim->medium;
    op->done = 0;
    if (op->kind == DISK_OPEN) op->file = DISK_NONE;
    if (medium->fault.nth > 0 && op->kind == medium->fault.kind && --medium->fault.nth == 0) {
        op->error = medium->fault.error;
        return;
    }
    op->error = effect(sim, op, covers);
    if (op->error) return;
    struct disk_counters *counters = &sim->disk.counters;
    counters->writes += op->kind == DISK_WRITE;
    counters->write_bytes += op->kind == DISK_WRITE ? op->done : 0;
    counters->reads += op->kind == DISK_READ;
    counters->syncs += op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL || (op->flags & DISK_DSYNC);
}

static int sim_run(struct disk *disk, struct disk_op *op)
{
    struct sim *sim = sim_of(disk);
    struct sim_medium *medium = sim->medium;
    medium->running = op;
    medium->running_inode = has_file(op) ? sim->files[op->file] : -1;
    if (medium->hook && changes_anything(op)) medium->hook(medium->hook_context);
    medium->running = NULL;
    finish(sim, op, medium->writes);
    return op->error;
}

static void sim_submit(struct disk *disk, struct disk_op *op)
{
    struct sim *sim = sim_of(disk);
    struct sim_medium *medium = sim->medium;
    CHECK_LT(medium->out_count, OUT_MAX);
    const uint32_t at = medium->out_count++;
    medium->out[at] = op;
    medium->due_ns[at] = medium->now_ns + 1 + seeded_u64(&medium->seeded) % LATENCY_NS;
    medium->covers[at] = medium->writes;
    medium->inode_out[at] = has_file(op) ? sim->files[op->file] : -1;
}

/* Ends operations in the order of their time, which is none of submission. */
static uint32_t sim_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    struct sim *sim = sim_of(disk);
    struct sim_medium *medium = sim->medium;
    const uint64_t until = wait_ns > UINT64_MAX - medium->now_ns ? UINT64_MAX : medium->now_ns + wait_ns;
    uint32_t count = 0;
    medium->now_ns += 1000; /* looking takes time, too */
    while (count < max && medium->out_count > 0) {
        uint32_t next = 0;
        for (uint32_t i = 1; i < medium->out_count; i++)
            if (medium->due_ns[i] < medium->due_ns[next]) next = i;
        if (medium->due_ns[next] > medium->now_ns && (count > 0 || medium->due_ns[next] > until)) break;
        medium->now_ns = max_u64(medium->now_ns, medium->due_ns[next]);
        struct disk_op *op = medium->out[next];
        if (medium->hook && changes_anything(op)) medium->hook(medium->hook_context);
        const uint64_t covers = medium->covers[next];
        medium->out_count--;
        medium->out[next] = medium->out[medium->out_count];
        medium->due_ns[next] = medium->due_ns[medium->out_count];
        medium->covers[next] = medium->covers[medium->out_count];
        medium->inode_out[next] = medium->inode_out[medium->out_count];
        finish(sim, op, covers);
        done[count++] = op;
    }
    if (count == 0 && until != UINT64_MAX) medium->now_ns = max_u64(medium->now_ns, until);
    return count;
}

/* -------------------------------------------------------------------------------------------- what is no operation */

static int sim_attach(struct disk *disk)
{
    (void)disk;
    return 0;
}

static int sim_list(struct disk *disk, int32_t dir, disk_name_fn fn, void *context)
{
    struct names names;
    names_copy(&names, &inode_of(sim_of(disk), dir)->names_now);
    for (uint32_t i = 0; i < names.count; i++) fn(context, names.list[i].text);
    free(names.list);
    return 0;
}

static int sim_stat(struct disk *disk, int32_t file, struct disk_file_info *out)
{
    const struct inode *inode = inode_of(sim_of(disk), file);
    *out = (struct disk_file_info){.bytes = inode->size_now, .allocated = inode->size_now, .links = inode->links,
                                   .is_directory = inode->is_directory};
    return 0;
}

static int sim_probe(struct disk *disk, int32_t dir, struct disk_device *out)
{
    (void)disk;
    (void)dir;
    *out = (struct disk_device){.filesystem = "sim", .direct_io = true, .direct_alignment = SECTOR, .known = true,
                                .write_cache = true, .free_bytes = UINT64_C(1) << 40, .size_limit = UINT64_MAX};
    return 0;
}

static int sim_room(struct disk *disk, int32_t dir, uint64_t *free_out)
{
    (void)disk;
    (void)dir;
    *free_out = UINT64_C(1) << 40;
    return 0;
}

static int sim_lock(struct disk *disk, int32_t file, enum disk_lock how)
{
    struct inode *inode = inode_of(sim_of(disk), file);
    if (how == DISK_UNLOCK) {
        if (inode->exclusive == disk) inode->exclusive = NULL;
        return 0;
    }
    if (inode->exclusive && inode->exclusive != disk) return EWOULDBLOCK;
    if (how == DISK_LOCK_EXCLUSIVE) inode->exclusive = disk;
    return 0;
}

static int sim_guard(struct disk *disk, int32_t file)
{
    (void)inode_of(sim_of(disk), file);
    return 0;
}

static int sim_is_named(struct disk *disk, int32_t dir, const char *text, int32_t file, bool *out)
{
    const struct sim *sim = sim_of(disk);
    const struct name *name = name_find(&inode_of(sim, dir)->names_now, text);
    *out = name && (int32_t)name->inode == sim->files[file];
    return 0;
}

static int sim_map(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out)
{
    const struct inode *inode = inode_of(sim_of(disk), file);
    *out = calloc(1, bytes);
    if (!*out) return ENOMEM;
    if (offset < inode->size_now) memcpy(*out, inode->now + offset, min_u64(bytes, inode->size_now - offset));
    return 0;
}

static void sim_unmap(struct disk *disk, void *data, uint64_t bytes)
{
    (void)disk;
    (void)bytes;
    free(data);
}

static uint64_t sim_register(struct disk *disk, void *data, uint64_t bytes)
{
    (void)disk;
    (void)data;
    (void)bytes;
    return 0;
}

static int sim_drop_cache(struct disk *disk, int32_t file)
{
    (void)inode_of(sim_of(disk), file);
    return 0;
}

static int sim_event_fd(struct disk *disk)
{
    (void)disk;
    return -ENOSYS;
}

static uint64_t sim_now(struct disk *disk) { return sim_of(disk)->medium->now_ns; }
static void sim_pause(struct disk *disk, uint64_t ns) { sim_of(disk)->medium->now_ns += ns; }

static int sim_entropy(struct disk *disk, void *out, size_t bytes)
{
    seeded_fill(&sim_of(disk)->medium->seeded, out, bytes);
    return 0;
}

static bool sim_is_alive(struct disk *disk, uint64_t pid)
{
    (void)disk;
    (void)pid;
    return false;
}

static uint64_t sim_process_id(struct disk *disk)
{
    (void)disk;
    return 4711;
}

/* A descriptor was left open: whose? */
static void complain_of_open(const struct sim_medium *medium, uint32_t inode)
{
    const char *text = "a file without a name";
    for (uint32_t i = 0; i < medium->inode_count; i++)
        for (uint32_t n = 0; n < medium->inodes[i].names_now.count; n++)
            if (medium->inodes[i].names_now.list[n].inode == inode) text = medium->inodes[i].names_now.list[n].text;
    fprintf(stderr, "left open: %s\n", text);
    CHECK(inode == UINT32_MAX);
}

static void sim_close(struct disk *disk)
{
    struct sim *sim = sim_of(disk);
    CHECK_EQ(disk->submitted, disk->collected);
    for (uint32_t i = 0; i < FILES_MAX; i++)
        if (sim->files[i] >= 0) complain_of_open(sim->medium, (uint32_t)sim->files[i]);
    for (uint32_t i = 0; i < sim->medium->inode_count; i++)
        if (sim->medium->inodes[i].exclusive == disk) sim->medium->inodes[i].exclusive = NULL;
    free(sim);
}

struct disk *sim_open(struct sim_medium *medium)
{
    static const struct disk_ops ops = {
        .name = "sim", .run = sim_run, .submit = sim_submit, .collect = sim_collect, .attach = sim_attach,
        .list = sim_list, .stat = sim_stat, .probe = sim_probe, .room = sim_room,
        .lock = sim_lock, .guard = sim_guard,
        .is_named = sim_is_named, .map = sim_map, .unmap = sim_unmap, .register_memory = sim_register,
        .drop_cache = sim_drop_cache, .event_fd = sim_event_fd, .now = sim_now, .pause = sim_pause,
        .entropy = sim_entropy, .is_process_alive = sim_is_alive, .process_id = sim_process_id, .close = sim_close,
    };
    struct sim *sim = calloc(1, sizeof *sim);
    CHECK(sim != NULL);
    sim->disk.ops = &ops;
    sim->medium = medium;
    for (uint32_t i = 0; i < FILES_MAX; i++) sim->files[i] = -1;
    return &sim->disk;
}

/* ------------------------------------------------------------------------------------------------- past the engine */

static const struct name *find_path(const struct sim_medium *medium, const char *name, uint32_t *directory_out)
{
    static const char below[] = "snapshots/";
    const bool is_below = strncmp(name, below, sizeof below - 1) == 0;
    const struct name *directory = name_find(&medium->inodes[ROOT].names_now, "store");
    CHECK(directory != NULL);
    if (is_below) directory = name_find(&medium->inodes[directory->inode].names_now, "snapshots");
    *directory_out = directory ? directory->inode : ROOT;
    return directory ? name_find(&medium->inodes[directory->inode].names_now, name + (is_below ? sizeof below - 1 : 0))
                     : NULL;
}

bool sim_look(const struct sim_medium *medium, const char *text, struct sim_view *out)
{
    uint32_t directory;
    const struct name *name = find_path(medium, text, &directory);
    if (!name || medium->inodes[name->inode].is_directory) return false;
    const struct inode *inode = &medium->inodes[name->inode];
    *out = (struct sim_view){.bytes = inode->now, .count = inode->size_now, .file = name->inode};
    return true;
}

void sim_rot(struct sim_medium *medium, uint32_t file, uint64_t offset, const void *bytes, uint64_t count)
{
    CHECK_LT(file, medium->inode_count);
    struct inode *inode = &medium->inodes[file];
    CHECK(offset + count <= inode->size_now);
    memcpy(inode->now + offset, bytes, count);
    memcpy(inode->safe + offset, bytes, count);
}

static uint32_t put_name(struct sim_medium *medium, uint32_t directory, const char *text, bool is_directory)
{
    const uint32_t made = new_inode(medium, is_directory);
    struct change change = {.kind = CHANGE_LINK, .inode = made};
    CHECK_LT(strlen(text), sizeof change.to);
    strcpy(change.to, text);
    change_names(&medium->inodes[directory], change);
    sync_names(&medium->inodes[directory]);
    return made;
}

void sim_put(struct sim_medium *medium, const char *text, const void *bytes, uint64_t count)
{
    uint32_t directory;
    CHECK(find_path(medium, text, &directory) == NULL);
    if (directory == ROOT) {
        uint32_t store;
        CHECK(find_path(medium, "snapshots", &store) == NULL);
        directory = put_name(medium, store, "snapshots", true);
    }
    const char *slash = strchr(text, '/');
    const uint32_t file = put_name(medium, directory, slash ? slash + 1 : text, false);
    struct inode *inode = &medium->inodes[file];
    grow(inode, count);
    inode->size_now = inode->size_safe = count;
    if (count > 0) sim_rot(medium, file, 0, bytes, count);
}

void sim_names(const struct sim_medium *medium, const char *below, disk_name_fn each, void *context)
{
    uint32_t store;
    (void)find_path(medium, "", &store);
    const struct name *directory = below ? name_find(&medium->inodes[store].names_now, below) : NULL;
    if (below && !directory) return;
    const struct names *names = &medium->inodes[directory ? directory->inode : store].names_now;
    for (uint32_t i = 0; i < names->count; i++) each(context, names->list[i].text);
}
