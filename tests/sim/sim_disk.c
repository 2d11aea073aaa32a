/* sim_disk.c: see sim_disk.h. */
#include "sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "base/check.h"
#include "sim_sheet.h"

enum { SECTOR = 512, NAME_MAX_BYTES = 64, FILES_MAX = 256, OUT_MAX = 256, ROOT = 0, STORE = 1 };
#define LATENCY_NS UINT64_C(100000)

/* A sector as somebody wrote it, not durable yet. In the order of completion. */
struct version {
    uint32_t sector;
    uint64_t write; /* number of the write that brought it */
    uint8_t bytes[SECTOR];
};

/* A sector as the page cache shows it, though a failed sync dropped it and nobody will write it any more. */
struct ghost {
    uint32_t sector;
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
    uint32_t links;
    struct disk *exclusive;
    /* of a file */
    struct sheet now, safe; /* as the device shows it; as a cut leaves it at the least */
    uint64_t size_now, size_safe;
    uint64_t size_low;      /* smallest since the last sync */
    struct version *versions;
    uint32_t version_count, version_room;
    struct ghost *ghosts;
    uint32_t ghost_count, ghost_room;
    uint8_t *flat;          /* its bytes in one piece, for sim_look */
    /* of a directory */
    struct names names_now, names_safe;
    struct change *changes;
    uint32_t change_count, change_room;
};

/* An operation between submission and its end. */
struct outgoing {
    struct disk_op *op;
    uint64_t due_ns;
    uint64_t covers; /* SYNC: writes up to this one                    */
    uint64_t landed; /* WRITE: bytes of its beginning that are written */
    int32_t inode;   /* the door may be closed by then                 */
};

struct sim_medium {
    struct seeded seeded;
    struct inode *inodes;
    uint32_t inode_count, inode_room;
    uint64_t writes; /* ever completed */
    uint64_t now_ns;
    sim_hook hook;
    void *hook_context;
    struct outgoing out[OUT_MAX];
    uint32_t out_count;
    struct outgoing running; /* by a plain call */
    struct {
        enum disk_kind kind;
        uint64_t nth;
        int error;
    } countdown;
    struct sim_faults faults;
    struct seeded chance; /* theirs */
    struct sim_hits hits;
    bool syncs_lie;
    uint64_t history, operations;
};

struct sim {
    struct disk disk;
    struct sim_medium *medium;
    int32_t files[FILES_MAX]; /* inode, or -1 */
    bool direct[FILES_MAX];
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

static void *make_room(void *list, uint32_t count, uint32_t *room, size_t bytes)
{
    if (count < *room) return list;
    *room = *room ? *room * 2 : 16;
    list = realloc(list, *room * bytes);
    CHECK(list != NULL);
    return list;
}

static const uint8_t *newest_version(const struct inode *inode, uint32_t sector)
{
    for (uint32_t i = inode->version_count; i-- > 0;)
        if (inode->versions[i].sector == sector) return inode->versions[i].bytes;
    return NULL;
}

/* Would this be news to the sector? What changes nothing is no version: so the ways a cut can end are counted by what
 * can be told apart. */
static bool is_news(const struct inode *inode, uint32_t sector, const uint8_t *bytes)
{
    uint8_t safe[SECTOR];
    const uint8_t *newest = newest_version(inode, sector);
    if (!newest) {
        sheet_read(&inode->safe, (uint64_t)sector * SECTOR, safe, SECTOR);
        newest = safe;
    }
    return memcmp(newest, bytes, SECTOR) != 0;
}

static void add_version(struct inode *inode, uint32_t sector, uint64_t write, const uint8_t *bytes)
{
    if (!is_news(inode, sector, bytes)) return;
    inode->versions = make_room(inode->versions, inode->version_count, &inode->version_room, sizeof *inode->versions);
    struct version *version = &inode->versions[inode->version_count++];
    version->sector = sector;
    version->write = write;
    memcpy(version->bytes, bytes, SECTOR);
}

/* A stretch of bytes on its way into a file. */
struct stretch {
    uint64_t offset, bytes;
    const uint8_t *data;
};

/* A sector that it touches, as it would be after it. */
static void sector_after(const struct inode *inode, const struct stretch *what, uint64_t sector, uint8_t bytes[SECTOR])
{
    const uint64_t end = what->offset + what->bytes;
    const uint64_t from = max_u64(what->offset, sector * SECTOR), upto = min_u64(end, (sector + 1) * SECTOR);
    if (upto - from < SECTOR) sheet_read(&inode->now, sector * SECTOR, bytes, SECTOR);
    memcpy(bytes + (from - sector * SECTOR), what->data + (from - what->offset), upto - from);
}

static void put_sector(struct inode *inode, uint64_t write, uint64_t sector, const uint8_t bytes[SECTOR])
{
    add_version(inode, (uint32_t)sector, write, bytes);
    sheet_write(&inode->now, sector * SECTOR, bytes, SECTOR);
}

/* What the page cache shows of these sectors is forgotten; with `dirties` it is written once more with them. */
static void lay_ghosts(struct inode *inode, uint64_t write, uint64_t first, uint64_t end, bool dirties)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < inode->ghost_count; i++) {
        const struct ghost *ghost = &inode->ghosts[i];
        if (ghost->sector < first || ghost->sector >= end)
            inode->ghosts[left++] = *ghost;
        else if (dirties)
            put_sector(inode, write, ghost->sector, ghost->bytes);
    }
    inode->ghost_count = left;
}

static void write_now(struct inode *inode, uint64_t write, const struct stretch *what, bool is_direct)
{
    const uint64_t end = what->offset + what->bytes;
    if (what->bytes == 0) return;
    lay_ghosts(inode, write, what->offset / SECTOR, (end + SECTOR - 1) / SECTOR, !is_direct);
    for (uint64_t sector = what->offset / SECTOR; sector * SECTOR < end; sector++) {
        uint8_t bytes[SECTOR];
        sector_after(inode, what, sector, bytes);
        put_sector(inode, write, sector, bytes);
    }
    inode->size_now = max_u64(inode->size_now, end);
}

/* Everything in these sectors that was written up to `write` is durable, in its newest version. */
static void sync_sectors(struct inode *inode, uint64_t write, uint64_t first, uint64_t end)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < inode->version_count; i++) {
        const struct version *version = &inode->versions[i];
        if (version->sector >= first && version->sector < end && version->write <= write)
            sheet_write(&inode->safe, (uint64_t)version->sector * SECTOR, version->bytes, SECTOR);
        else
            inode->versions[left++] = *version;
    }
    inode->version_count = left;
}

static void sync_bytes(struct inode *inode, uint64_t write)
{
    if (inode->size_low < inode->size_safe) sheet_cut(&inode->safe, inode->size_low);
    sync_sectors(inode, write, 0, UINT64_MAX);
    inode->size_safe = inode->size_low = inode->size_now;
}

/* Some of what it covers is durable; the rest is dropped and never comes. The page cache shows it still. */
static uint64_t sync_fails(struct inode *inode, uint64_t write, bool is_direct, struct seeded *chance)
{
    uint64_t dropped = 0;
    for (uint32_t i = 0; i < inode->version_count;) {
        const struct version version = inode->versions[i];
        if (version.write > write) {
            i++;
            continue;
        }
        if (seeded_below(chance, 2) == 0) { /* with all that was written to this sector before: it is gone from here */
            sync_sectors(inode, version.write, version.sector, version.sector + 1);
            continue;
        }
        memmove(&inode->versions[i], &inode->versions[i + 1], (--inode->version_count - i) * sizeof version);
        dropped++;
        if (newest_version(inode, version.sector)) continue;
        uint8_t safe[SECTOR];
        sheet_read(&inode->safe, (uint64_t)version.sector * SECTOR, safe, SECTOR);
        sheet_write(&inode->now, (uint64_t)version.sector * SECTOR, safe, SECTOR);
        lay_ghosts(inode, 0, version.sector, (uint64_t)version.sector + 1, false);
        if (is_direct) continue;
        inode->ghosts = make_room(inode->ghosts, inode->ghost_count, &inode->ghost_room, sizeof *inode->ghosts);
        struct ghost *ghost = &inode->ghosts[inode->ghost_count++];
        ghost->sector = version.sector;
        memcpy(ghost->bytes, version.bytes, SECTOR);
    }
    return dropped;
}

static void resize(struct inode *inode, uint64_t bytes)
{
    if (bytes < inode->size_now) {
        sheet_cut(&inode->now, bytes);
        uint32_t left = 0;
        for (uint32_t i = 0; i < inode->version_count; i++)
            if ((uint64_t)inode->versions[i].sector * SECTOR < bytes) inode->versions[left++] = inode->versions[i];
        inode->version_count = left;
        lay_ghosts(inode, 0, (bytes + SECTOR - 1) / SECTOR, UINT64_MAX, false);
        inode->size_low = min_u64(inode->size_low, bytes);
    }
    inode->size_now = bytes;
}

/* ----------------------------------------------------------------------------------------------------------- medium */

static uint32_t new_inode(struct sim_medium *medium, bool is_directory)
{
    medium->inodes = make_room(medium->inodes, medium->inode_count, &medium->inode_room, sizeof *medium->inodes);
    medium->inodes[medium->inode_count] = (struct inode){.is_directory = is_directory, .links = 1};
    return medium->inode_count++;
}

static struct sim_medium *new_medium(uint64_t seed)
{
    struct sim_medium *medium = calloc(1, sizeof *medium);
    CHECK(medium != NULL);
    medium->seeded.state = seed;
    medium->now_ns = UINT64_C(1000000000);
    medium->history = seed;
    return medium;
}

struct sim_medium *sim_make(uint64_t seed)
{
    struct sim_medium *medium = new_medium(seed);
    CHECK_EQ(new_inode(medium, true), ROOT);
    CHECK_EQ(new_inode(medium, true), STORE);
    change_names(&medium->inodes[ROOT], (struct change){.kind = CHANGE_LINK, .to = "store", .inode = STORE});
    sync_names(&medium->inodes[ROOT]);
    return medium;
}

void sim_free(struct sim_medium *medium)
{
    for (uint32_t i = 0; i < medium->inode_count; i++) {
        struct inode *inode = &medium->inodes[i];
        sheet_free(&inode->now);
        sheet_free(&inode->safe);
        free(inode->versions);
        free(inode->ghosts);
        free(inode->flat);
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

/* ------------------------------------------------------------------------------------------------------------- cuts */

/* What decides the questions of a cut. */
struct chooser {
    struct seeded *seeded;      /* random, with a leaning       */
    uint32_t bias;              /* 0: all old, 1: all new, else each on its own */
    const uint16_t *answer;     /* as it is told                */
    uint16_t *answers;          /* only listed: how many each has */
    uint32_t count, room;
};

static uint32_t choose(struct chooser *chooser, uint32_t answers)
{
    const uint32_t at = chooser->count++;
    if (chooser->answers) {
        if (at < chooser->room) chooser->answers[at] = (uint16_t)min_u64(answers, UINT16_MAX);
        return 0;
    }
    if (!chooser->seeded) return at < chooser->room ? chooser->answer[at] : 0;
    if (chooser->bias == 0) return 0;
    return chooser->bias == 1 ? answers - 1 : seeded_below(chooser->seeded, answers);
}

/* One thing that a sector may become. */
struct candidate {
    uint32_t sector, order;
    const uint8_t *bytes;
};

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->sector != y->sector) return x->sector < y->sector ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static struct stretch rest_of(const struct outgoing *out)
{
    return (struct stretch){.offset = out->op->offset + out->landed, .bytes = out->op->bytes - out->landed,
                            .data = (const uint8_t *)out->op->data + out->landed};
}

static bool is_flying(const struct outgoing *out, uint32_t inode)
{
    return out->op && out->inode == (int32_t)inode && out->op->kind == DISK_WRITE;
}

/* The writes that are out, sector by sector, as if they had come last. */
static void add_flying(const struct sim_medium *medium, uint32_t number, struct inode *flying)
{
    const struct inode *inode = &medium->inodes[number];
    for (uint32_t i = 0; i <= medium->out_count; i++) {
        const struct outgoing *out = i < medium->out_count ? &medium->out[i] : &medium->running;
        if (!is_flying(out, number)) continue;
        const struct stretch what = rest_of(out);
        for (uint64_t sector = what.offset / SECTOR; sector * SECTOR < what.offset + what.bytes; sector++) {
            uint8_t bytes[SECTOR];
            sector_after(inode, &what, sector, bytes);
            if (!is_news(inode, (uint32_t)sector, bytes)) continue;
            flying->versions =
                make_room(flying->versions, flying->version_count, &flying->version_room, sizeof *flying->versions);
            struct version *version = &flying->versions[flying->version_count++];
            version->sector = (uint32_t)sector;
            memcpy(version->bytes, bytes, SECTOR);
        }
    }
}

/* Of each sector one version, or what was durable. `to` NULL: the questions only. */
static void choose_sectors(const struct sim_medium *medium, uint32_t number, struct sheet *to, struct chooser *chooser)
{
    const struct inode *inode = &medium->inodes[number];
    struct inode flying = {0};
    add_flying(medium, number, &flying);
    const uint32_t count = inode->version_count + flying.version_count;
    if (count == 0) return;
    struct candidate *sorted = malloc(count * sizeof *sorted);
    CHECK(sorted != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct version *version =
            i < inode->version_count ? &inode->versions[i] : &flying.versions[i - inode->version_count];
        sorted[i] = (struct candidate){.sector = version->sector, .order = i, .bytes = version->bytes};
    }
    qsort(sorted, count, sizeof *sorted, compare_candidates);
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && sorted[end].sector == sorted[i].sector;) end++;
        const uint32_t answer = choose(chooser, end - i + 1);
        if (to && answer > 0)
            sheet_write(to, (uint64_t)sorted[i].sector * SECTOR, sorted[i + answer - 1].bytes, SECTOR);
    }
    free(sorted);
    free(flying.versions);
}

static void end_file(struct inode *to, const struct sim_medium *medium, uint32_t number, struct chooser *chooser)
{
    const struct inode *from = &medium->inodes[number];
    to->size_safe = from->size_safe;
    if (from->size_now != from->size_safe && choose(chooser, 2) == 1) to->size_safe = from->size_now;
    to->safe = sheet_copy(&from->safe);
    if (from->size_low < to->size_safe && to->size_safe == from->size_now) sheet_cut(&to->safe, from->size_low);
    choose_sectors(medium, number, &to->safe, chooser);
    sheet_cut(&to->safe, to->size_safe);
    to->now = sheet_copy(&to->safe);
    to->size_now = to->size_low = to->size_safe;
}

/* Only the process ends: what flew has landed in the cache, or has not, sector by sector. */
static void leave_file(struct inode *to, const struct sim_medium *medium, uint32_t number, struct chooser *chooser)
{
    const struct inode *from = &medium->inodes[number];
    to->now = sheet_copy(&from->now);
    to->safe = sheet_copy(&from->safe);
    to->size_now = from->size_now;
    to->size_safe = from->size_safe;
    to->size_low = from->size_low;
    for (uint32_t i = 0; i < from->version_count; i++)
        add_version(to, from->versions[i].sector, from->versions[i].write, from->versions[i].bytes);
    for (uint32_t i = 0; i < from->ghost_count; i++) {
        to->ghosts = make_room(to->ghosts, to->ghost_count, &to->ghost_room, sizeof *to->ghosts);
        to->ghosts[to->ghost_count++] = from->ghosts[i];
    }
    struct inode flying = {0};
    add_flying(medium, number, &flying);
    for (uint32_t i = 0; i < flying.version_count; i++) {
        const struct version *version = &flying.versions[i];
        if (choose(chooser, 2) == 0) continue;
        lay_ghosts(to, 0, version->sector, (uint64_t)version->sector + 1, false);
        put_sector(to, medium->writes, version->sector, version->bytes);
        to->size_now = max_u64(to->size_now, ((uint64_t)version->sector + 1) * SECTOR);
    }
    free(flying.versions);
}

static void end_directory(struct inode *to, const struct inode *from, enum sim_end end, struct chooser *chooser)
{
    names_copy(&to->names_safe, &from->names_safe);
    if (end == SIM_KILL) {
        names_copy(&to->names_now, &from->names_now);
        for (uint32_t i = 0; i < from->change_count; i++) {
            to->changes = make_room(to->changes, to->change_count, &to->change_room, sizeof *to->changes);
            to->changes[to->change_count++] = from->changes[i];
        }
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
    left->syncs_lie = medium->syncs_lie;
    for (uint32_t i = 0; i < medium->inode_count; i++) {
        const struct inode *from = &medium->inodes[i];
        const uint32_t number = new_inode(left, from->is_directory);
        struct inode *to = &left->inodes[number];
        to->links = 0;
        if (from->is_directory)
            end_directory(to, from, end, chooser);
        else if (end == SIM_POWER)
            end_file(to, medium, i, chooser);
        else
            leave_file(to, medium, i, chooser);
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

struct sim_medium *sim_cut_by(const struct sim_medium *medium, const uint16_t *answer, uint32_t count)
{
    struct chooser chooser = {.answer = answer, .room = count};
    return end_now(medium, SIM_POWER, &chooser);
}

/* In the order in which end_now asks. */
uint32_t sim_questions(const struct sim_medium *medium, uint16_t *answers, uint32_t room)
{
    struct chooser chooser = {.answers = answers, .room = room};
    for (uint32_t i = 0; i < medium->inode_count; i++) {
        const struct inode *inode = &medium->inodes[i];
        if (inode->is_directory) {
            if (inode->change_count > 0) (void)choose(&chooser, inode->change_count + 1);
            continue;
        }
        if (inode->size_now != inode->size_safe) (void)choose(&chooser, 2);
        choose_sectors(medium, i, NULL, &chooser);
    }
    return chooser.count;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static uint64_t fingerprint(const struct sim_medium *medium, uint32_t number, uint64_t hash)
{
    const struct inode *inode = &medium->inodes[number];
    if (!inode->is_directory) {
        const uint64_t words[] = {hash, inode->size_safe, sheet_sum(&inode->safe, inode->size_safe)};
        return XXH3_64bits(words, sizeof words);
    }
    struct names names;
    names_copy(&names, &inode->names_safe);
    if (names.count > 1) qsort(names.list, names.count, sizeof *names.list, compare_names);
    for (uint32_t i = 0; i < names.count; i++) {
        if (strcmp(names.list[i].text, "LOCK") == 0) continue;
        hash = XXH3_64bits_withSeed(names.list[i].text, strlen(names.list[i].text), hash);
        hash = fingerprint(medium, names.list[i].inode, hash);
    }
    free(names.list);
    return hash;
}

uint64_t sim_fingerprint(const struct sim_medium *medium) { return fingerprint(medium, ROOT, 1); }
uint64_t sim_history(const struct sim_medium *medium) { return medium->history; }
uint64_t sim_operations(const struct sim_medium *medium) { return medium->operations; }

/* ----------------------------------------------------------------------------------------------------------- faults */

void sim_set_faults(struct sim_medium *medium, struct sim_faults faults)
{
    medium->faults = faults;
    medium->chance.state = faults.seed;
}

struct sim_hits sim_hits(const struct sim_medium *medium) { return medium->hits; }
void sim_pass(struct sim_medium *medium, uint64_t ns) { medium->now_ns += ns; }

void sim_let_syncs_lie(struct sim_medium *medium) { medium->syncs_lie = true; }

void sim_fail(struct sim_medium *medium, enum disk_kind kind, uint64_t nth, int error)
{
    medium->countdown.kind = kind;
    medium->countdown.nth = nth;
    medium->countdown.error = error;
}

bool sim_fail_is_over(const struct sim_medium *medium) { return medium->countdown.nth == 0; }

static bool strikes(struct sim_medium *medium, uint32_t one_in)
{
    return one_in > 0 && seeded_below(&medium->chance, one_in) == 0;
}

/* What an operation answers that fails. */
static int failure_of(struct sim_medium *medium, const struct disk_op *op)
{
    switch (op->kind) {
    case DISK_ALLOCATE: return ENOSPC;
    case DISK_WRITE:
    case DISK_OPEN:
    case DISK_RENAME:
    case DISK_MKDIR:
    case DISK_LINK: return seeded_below(&medium->chance, 4) == 0 ? ENOSPC : EIO;
    default: return EIO;
    }
}

static bool is_of_the_store(const struct sim_medium *medium, int32_t inode)
{
    const struct names *names = &medium->inodes[STORE].names_now;
    for (uint32_t i = 0; i < names->count; i++)
        if ((int32_t)names->list[i].inode == inode) return strcmp(names->list[i].text, "LOCK") != 0;
    return false;
}

/* A file of the store, other than LOCK, with bytes in it. -1: none. */
static int32_t any_file(const struct sim_medium *medium, struct seeded *seeded, struct sim_decay *out)
{
    const struct names *names = &medium->inodes[STORE].names_now;
    const uint32_t start = names->count > 0 ? seeded_below(seeded, names->count) : 0;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct name *name = &names->list[(start + i) % names->count];
        const struct inode *inode = &medium->inodes[name->inode];
        if (inode->is_directory || inode->size_now < SECTOR || strcmp(name->text, "LOCK") == 0) continue;
        if (out) memcpy(out->name, name->text, sizeof out->name);
        return (int32_t)name->inode;
    }
    return -1;
}

bool sim_decay(struct sim_medium *medium, struct seeded *seeded, struct sim_decay *out)
{
    static const char *const ways[] = {"a bit flipped", "a sector of zeros", "a sector of rubbish",
                                       "another sector of the file"};
    const int32_t number = any_file(medium, seeded, out);
    if (number < 0) return false;
    struct inode *inode = &medium->inodes[number];
    const uint32_t sectors = (uint32_t)(inode->size_now / SECTOR), way = seeded_below(seeded, 4);
    out->offset = (uint64_t)seeded_below(seeded, sectors) * SECTOR;
    out->how = ways[way];
    uint8_t old[SECTOR], bytes[SECTOR];
    sheet_read(&inode->now, out->offset, old, SECTOR);
    memcpy(bytes, old, SECTOR);
    if (way == 0) bytes[seeded_below(seeded, SECTOR)] ^= (uint8_t)(1 << seeded_below(seeded, 8));
    if (way == 1) memset(bytes, 0, SECTOR);
    if (way == 2) seeded_fill(seeded, bytes, SECTOR);
    if (way == 3) sheet_read(&inode->now, (uint64_t)seeded_below(seeded, sectors) * SECTOR, bytes, SECTOR);
    if (memcmp(old, bytes, SECTOR) == 0) return false;
    sheet_write(&inode->now, out->offset, bytes, SECTOR);
    sheet_write(&inode->safe, out->offset, bytes, SECTOR);
    return true;
}

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
            sim->direct[file] = (op->flags & DISK_DIRECT) != 0;
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

/* What a read of these bytes shows: the page cache's ghosts too, but for direct I/O. */
static void read_bytes(const struct inode *inode, uint64_t offset, uint8_t *out, uint64_t bytes, bool is_direct)
{
    sheet_read(&inode->now, offset, out, bytes);
    for (uint32_t i = 0; !is_direct && i < inode->ghost_count; i++) {
        const uint64_t at = (uint64_t)inode->ghosts[i].sector * SECTOR;
        const uint64_t from = max_u64(at, offset), upto = min_u64(at + SECTOR, offset + bytes);
        if (from < upto) memcpy(out + (from - offset), inode->ghosts[i].bytes + (from - at), upto - from);
    }
}

static void run_read(const struct sim *sim, struct disk_op *op)
{
    const struct inode *inode = inode_of(sim, op->file);
    const uint64_t end = min_u64(inode->size_now, op->offset + op->bytes);
    op->done = end > op->offset ? end - op->offset : 0;
    if (op->done > 0) read_bytes(inode, op->offset, op->data, op->done, sim->direct[op->file]);
}

static void do_write(struct sim *sim, const struct disk_op *op, struct inode *inode, const struct stretch *what)
{
    const uint64_t write = ++sim->medium->writes, end = what->offset + what->bytes;
    write_now(inode, write, what, sim->direct[op->file]);
    if (!(op->flags & DISK_DSYNC) || sim->medium->syncs_lie) return;
    sync_sectors(inode, write, what->offset / SECTOR, (end + SECTOR - 1) / SECTOR);
    inode->size_safe = max_u64(inode->size_safe, min_u64(inode->size_now, end));
}

/* The rest of a write. It may be lost, or go astray. */
static void run_write(struct sim *sim, const struct outgoing *out)
{
    struct sim_medium *medium = sim->medium;
    const struct disk_op *op = out->op;
    struct stretch what = rest_of(out);
    int32_t number = sim->files[op->file];
    if (medium->hits.lost + medium->hits.misdirected < medium->faults.lies_max &&
        what.offset >= medium->faults.lies_from && is_of_the_store(medium, number)) {
        if (strikes(medium, medium->faults.lose_one_in)) {
            medium->hits.lost++;
            return;
        }
        if (what.bytes % SECTOR == 0 && strikes(medium, medium->faults.misdirect_one_in)) {
            medium->hits.misdirected++;
            number = any_file(medium, &medium->chance, NULL);
            const uint64_t size = number < 0 ? 0 : medium->inodes[number].size_now / SECTOR * SECTOR;
            if (size < what.bytes) return;
            const uint64_t places = (size - what.bytes) / SECTOR + 1;
            what.offset = seeded_u64(&medium->chance) % places * SECTOR;
        }
    }
    do_write(sim, op, &medium->inodes[number], &what);
}

static void run_sync(struct sim *sim, const struct disk_op *op, uint64_t covers)
{
    struct inode *inode = inode_of(sim, op->file);
    if (sim->medium->syncs_lie) return;
    if (inode->is_directory)
        sync_names(inode);
    else
        sync_bytes(inode, covers);
}

static int effect(struct sim *sim, const struct outgoing *out)
{
    struct disk_op *op = out->op;
    switch (op->kind) {
    case DISK_WRITE:
        run_write(sim, out);
        op->done = op->bytes;
        return 0;
    case DISK_READ: run_read(sim, op); return 0;
    case DISK_SYNC:
    case DISK_SYNC_ALL: run_sync(sim, op, out->covers); return 0;
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

/* What a failed operation did all the same. */
static void effect_of_failure(struct sim *sim, const struct outgoing *out)
{
    struct sim_medium *medium = sim->medium;
    const struct disk_op *op = out->op;
    if (op->kind == DISK_WRITE) {
        const struct stretch what = rest_of(out);
        struct inode *inode = inode_of(sim, op->file);
        const uint64_t write = ++medium->writes, end = what.offset + what.bytes;
        for (uint64_t sector = what.offset / SECTOR; sector * SECTOR < end; sector++) {
            if (seeded_below(&medium->chance, 2) == 0) continue;
            const uint64_t from = max_u64(what.offset, sector * SECTOR), upto = min_u64(end, (sector + 1) * SECTOR);
            const struct stretch part = {from, upto - from, what.data + (from - what.offset)};
            write_now(inode, write, &part, sim->direct[op->file]);
        }
    }
    if (op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL) {
        struct inode *inode = inode_of(sim, op->file);
        medium->hits.failed_syncs++;
        if (!inode->is_directory)
            medium->hits.dropped_sectors += sync_fails(inode, out->covers, sim->direct[op->file], &medium->chance);
    }
}

static bool has_file(const struct disk_op *op)
{
    return op->kind == DISK_WRITE || op->kind == DISK_READ || op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL ||
           op->kind == DISK_ALLOCATE || op->kind == DISK_TRUNCATE || op->kind == DISK_CLOSE;
}

static bool changes_anything(const struct disk_op *op)
{
    return op->kind != DISK_READ && op->kind != DISK_POPULATE && op->kind != DISK_CLOSE;
}

/* Everything that tells one run from another: who reads the same history has done the same. */
static void remember(struct sim_medium *medium, const struct outgoing *out, bool has_ended)
{
    const struct disk_op *op = out->op;
    const uint64_t words[] = {medium->history, medium->now_ns, (uint64_t)op->kind, op->flags, (uint64_t)out->inode,
                              op->bytes, op->offset, has_ended, has_ended ? (uint64_t)op->error : 0,
                              has_ended ? op->done : 0};
    uint64_t sum = XXH3_64bits(words, sizeof words);
    const bool has_bytes = has_ended ? op->kind == DISK_READ : op->kind == DISK_WRITE;
    if (has_bytes) sum = XXH3_64bits_withSeed(op->data, op->kind == DISK_READ ? op->done : op->bytes, sum);
    if (op->name && !has_file(op)) sum = XXH3_64bits_withSeed(op->name, strlen(op->name), sum);
    if (op->to && !has_file(op)) sum = XXH3_64bits_withSeed(op->to, strlen(op->to), sum);
    medium->history = sum;
    medium->operations += has_ended;
}

static void finish(struct sim *sim, const struct outgoing *out)
{
    struct sim_medium *medium = sim->medium;
    struct disk_op *op = out->op;
    op->done = 0;
    if (op->kind == DISK_OPEN) op->file = DISK_NONE;
    if (medium->countdown.nth > 0 && op->kind == medium->countdown.kind && --medium->countdown.nth == 0) {
        if (op->kind == DISK_CLOSE) (void)effect(sim, out); /* whatever it says, the descriptor is gone */
        op->error = medium->countdown.error;
    } else if (op->kind != DISK_CLOSE && strikes(medium, medium->faults.fail_one_in)) {
        medium->hits.failed++;
        effect_of_failure(sim, out);
        op->error = failure_of(medium, op);
    } else {
        op->error = effect(sim, out);
    }
    remember(medium, out, true);
    if (op->error) return;
    struct disk_counters *counters = &sim->disk.counters;
    counters->writes += op->kind == DISK_WRITE;
    counters->write_bytes += op->kind == DISK_WRITE ? op->done : 0;
    counters->reads += op->kind == DISK_READ;
    counters->syncs += op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL || (op->flags & DISK_DSYNC);
}

/* A part of a write is done, and something may happen before the rest is. */
static bool is_shortened(struct sim *sim, struct outgoing *out)
{
    struct sim_medium *medium = sim->medium;
    if (out->op->kind != DISK_WRITE || out->landed > 0 || out->op->bytes < (uint64_t)2 * SECTOR) return false;
    if (!strikes(medium, medium->faults.shorten_one_in)) return false;
    struct stretch part = rest_of(out);
    part.bytes = (1 + seeded_below(&medium->chance, (uint32_t)(part.bytes / SECTOR) - 1)) * (uint64_t)SECTOR;
    do_write(sim, out->op, inode_of(sim, out->op->file), &part);
    out->landed = part.bytes;
    medium->hits.shortened++;
    sim->disk.counters.short_transfers++;
    return true;
}

static uint64_t stall(struct sim_medium *medium)
{
    if (!strikes(medium, medium->faults.stall_one_in)) return 0;
    medium->hits.stalled++;
    return 1 + seeded_u64(&medium->chance) % medium->faults.stall_ns;
}

static int sim_run(struct disk *disk, struct disk_op *op)
{
    struct sim *sim = sim_of(disk);
    struct sim_medium *medium = sim->medium;
    struct outgoing *out = &medium->running;
    *out = (struct outgoing){.op = op, .covers = medium->writes, .inode = has_file(op) ? sim->files[op->file] : -1};
    remember(medium, out, false);
    do {
        medium->now_ns += stall(medium);
        if (medium->hook && changes_anything(op)) medium->hook(medium->hook_context);
    } while (is_shortened(sim, out));
    const struct outgoing ending = *out;
    out->op = NULL;
    finish(sim, &ending);
    return op->error;
}

static void sim_submit(struct disk *disk, struct disk_op *op)
{
    struct sim *sim = sim_of(disk);
    struct sim_medium *medium = sim->medium;
    CHECK_LT(medium->out_count, OUT_MAX);
    medium->out[medium->out_count] =
        (struct outgoing){.op = op, .covers = medium->writes, .inode = has_file(op) ? sim->files[op->file] : -1,
                          .due_ns = medium->now_ns + 1 + seeded_u64(&medium->seeded) % LATENCY_NS + stall(medium)};
    remember(medium, &medium->out[medium->out_count++], false);
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
            if (medium->out[i].due_ns < medium->out[next].due_ns) next = i;
        struct outgoing *out = &medium->out[next];
        if (out->due_ns > medium->now_ns && (count > 0 || out->due_ns > until)) break;
        medium->now_ns = max_u64(medium->now_ns, out->due_ns);
        if (medium->hook && changes_anything(out->op)) medium->hook(medium->hook_context);
        if (is_shortened(sim, out)) {
            out->due_ns += LATENCY_NS / 4;
            continue;
        }
        const struct outgoing ending = *out;
        *out = medium->out[--medium->out_count];
        finish(sim, &ending);
        done[count++] = ending.op;
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
    struct sim_medium *medium = sim_of(disk)->medium;
    if (strikes(medium, medium->faults.fail_one_in)) return EIO;
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
    if (offset < inode->size_now) read_bytes(inode, offset, *out, min_u64(bytes, inode->size_now - offset), false);
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
    lay_ghosts(inode_of(sim_of(disk), file), 0, 0, UINT64_MAX, false);
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
    struct inode *inode = &medium->inodes[name->inode];
    inode->flat = realloc(inode->flat, inode->size_now + 1);
    CHECK(inode->flat != NULL);
    sheet_read(&inode->now, 0, inode->flat, inode->size_now);
    *out = (struct sim_view){.bytes = inode->flat, .count = inode->size_now, .file = name->inode};
    return true;
}

void sim_rot(struct sim_medium *medium, uint32_t file, uint64_t offset, const void *bytes, uint64_t count)
{
    CHECK_LT(file, medium->inode_count);
    struct inode *inode = &medium->inodes[file];
    CHECK(offset + count <= inode->size_now);
    sheet_write(&inode->now, offset, bytes, count);
    sheet_write(&inode->safe, offset, bytes, count);
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
    inode->size_now = inode->size_safe = inode->size_low = count;
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
