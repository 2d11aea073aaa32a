/* teak/status.h: the closed list of everything a call can answer, and the error that explains it.
 *
 * The numbers and the names are stable. New ones go at the end of their block; the gaps are there for them.
 * A status tells what kind of answer is right:
 *   caller  the request was wrong; nothing changed, repeating it as it is gives the same answer
 *   wait    nothing changed; the same request can succeed later
 *   open    the directory cannot be opened as it is; nothing was written
 *   data    bytes on the medium are not what was written; named in the error
 *   world   the operating system said no; `os_errno` has its word
 *   state   the store has left service; close it
 */
#ifndef TEAK_STATUS_H
#define TEAK_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TEAK_API __attribute__((visibility("default")))
#else
#define TEAK_API
#endif

/* X(number, ENUMERATOR, "stable_name", "what it means, for a person") */
#define TEAK_STATUS_LIST(X)                                                                                            \
    X(0, OK, "ok", "it was done")                                                                                      \
    /* caller */                                                                                                       \
    X(1, INVALID, "invalid", "an argument is outside what the call accepts")                                           \
    X(2, OPTIONS, "options", "an option is out of its range")                                                          \
    X(3, EMPTY_BATCH, "empty_batch", "a batch needs at least one operation")                                           \
    X(4, INDEX_ZERO, "index_zero", "indexes start at 1")                                                               \
    X(5, GAP, "gap", "the entry is not the next one: entries before it are missing")                                   \
    X(6, OVERLAP, "overlap", "the log already has an entry there: truncate first")                                     \
    X(7, TERM_BACKWARDS, "term_backwards", "a term must not be lower than the one before it")                          \
    X(8, ENTRY_TOO_LARGE, "entry_too_large", "the entry exceeds the store's limit")                                    \
    X(9, BATCH_TOO_LARGE, "batch_too_large", "the batch exceeds the store's limit")                                    \
    X(10, UNKNOWN_LOG, "unknown_log", "the store has no log of that id")                                               \
    X(11, LOG_EXISTS, "log_exists", "the store already has a log of that id")                                          \
    X(12, LOG_GONE, "log_gone", "the log was dropped; one of the same id may live another life")                       \
    X(13, TOO_MANY_LOGS, "too_many_logs", "one more log would not fit into the store's largest checkpoint")            \
    X(14, COMMIT_BACKWARDS, "commit_backwards", "a commit index must not go back")                                     \
    X(15, VOTE_CHANGED, "vote_changed", "a vote must not change within a term")                                        \
    X(16, BELOW_SNAPSHOT, "below_snapshot", "the index is at or below the snapshot boundary")                          \
    X(17, COMPACTED, "compacted", "the entry was compacted away")                                                      \
    X(18, BEYOND, "beyond", "the index is beyond the last entry")                                                      \
    X(19, RESERVED, "reserved", "a reservation is open: commit or release it first")                                   \
    X(20, WRONG_THREAD, "wrong_thread", "another thread drives this store")                                            \
    X(21, READ_ONLY, "read_only", "the store was opened for reading")                                                  \
    X(22, META_TOO_LARGE, "meta_too_large", "a log's META holds at most 256 bytes")                                    \
    X(23, NOT_FOUND, "not_found", "nothing in the log matches")                                                        \
    X(24, BUSY, "busy", "another stream into this log is open: install, suspend or abort it first")                    \
    X(25, IN_CALLBACK, "in_callback", "a callback must not wait, nor drive or close what called it")                   \
    X(26, CHANGED, "changed", "the store is not what the plan was made of: make another one")                          \
    /* wait */                                                                                                         \
    X(40, FULL, "full", "no room until earlier work is durable: drive the store and repeat")                           \
    X(41, NO_SPACE, "no_space", "the file system has no space for another segment")                                    \
    X(42, PENDING, "pending", "the entries are on their way from the medium: drive the store and repeat")              \
    /* open */                                                                                                         \
    X(60, NO_DIRECTORY, "no_directory", "the directory does not exist")                                                \
    X(61, NOT_A_STORE, "not_a_store", "the directory holds no store")                                                  \
    X(62, BAD_MAGIC, "bad_magic", "the file does not begin as a file of a store does")                                 \
    X(63, VERSION, "version", "the store was written in a format version this build does not know")                    \
    X(64, FEATURE, "feature", "the store uses a feature that this build does not know")                                \
    X(65, BLOCK_SIZE, "block_size", "the store's block or segment size is not what was asked for")                     \
    X(66, LOCKED, "locked", "another process has the store open")                                                      \
    X(67, READ_ONLY_FS, "read_only_fs", "the file system is mounted read-only")                                        \
    X(68, FOREIGN_FILE, "foreign_file", "a segment's name is taken by a file of another store")                        \
    X(69, SEGMENT_MISSING, "segment_missing", "a segment that the store needs is not there")                           \
    X(70, SEGMENT_SHORT, "segment_short", "a segment's file is shorter than it says of itself")                        \
    X(71, DAMAGED, "damaged", "acknowledged data is damaged; the store was left as it is")                             \
    X(72, STORE_LOST, "store_lost", "the directory has segments but no STORE file; nothing is created over them")      \
    /* data */                                                                                                         \
    X(80, HASH_MISMATCH, "hash_mismatch", "the bytes on the medium are not the ones that were written")                \
    X(81, DECODE, "decode", "bytes that pass their checksum make no sense")                                            \
    X(82, ENCODE, "encode", "the input cannot be framed as a record")                                                  \
    X(83, QUARANTINED, "quarantined", "the log may lack what was acknowledged: it can be read, and dropped")           \
    /* world */                                                                                                        \
    X(100, IO, "io", "the operating system reported an I/O error")                                                     \
    X(101, NO_MEMORY, "no_memory", "memory could not be had")                                                          \
    X(102, DENIED, "denied", "permission denied")                                                                      \
    X(103, NO_BACKEND, "no_backend", "the asked-for I/O backend cannot be had on this machine")                        \
    /* state */                                                                                                        \
    X(120, POISONED, "poisoned",                                                                                       \
      "a write or sync failed: nothing more is written; a pending batch may or may not be there after reopening")   \
    X(121, CLOSED, "closed", "the committer is being closed")

enum teak_status {
#define TEAK_STATUS_ENUM(number, name, text, meaning) TEAK_##name = number,
    TEAK_STATUS_LIST(TEAK_STATUS_ENUM)
#undef TEAK_STATUS_ENUM
};

/* What happened and where; filled in once, by whoever knew. A field that does not apply is 0 or empty. */
struct teak_error {
    enum teak_status status;
    int os_errno;         /* the operating system's word, 0 if it was not asked       */
    char operation[16];   /* what was being done: "open", "write", "judge", ...       */
    char file[48];        /* name inside the store's directory                        */
    uint64_t segment;     /* segment number                                           */
    uint64_t offset;      /* bytes from the beginning of the file                     */
    uint64_t log;         /* log id; meaningful if `index` or `has_log` is set        */
    uint64_t index;       /* entry index                                              */
    uint64_t term;        /* of that entry, where it is known and the entry is damaged */
    uint64_t expected;    /* what would have been right, where one number says it     */
    uint8_t has_log;
    uint8_t has_offset;
    uint8_t has_expected;
    uint8_t has_term;
    uint8_t zero[4];
};

/* teak_status_name: the stable name of a status, "unknown" for a number outside the list.
 * Threads   Any.
 * Owner     A constant; never freed. */
TEAK_API const char *teak_status_name(enum teak_status status);

/* teak_status_meaning: one sentence for a person.
 * Threads   Any.
 * Owner     A constant; never freed. */
TEAK_API const char *teak_status_meaning(enum teak_status status);

/* teak_error_text: the whole error as one line for a person: name, meaning, where.
 * Does      Writes at most `bytes` bytes including the terminating zero; returns the length it wanted to write.
 * Threads   Any. */
TEAK_API size_t teak_error_text(const struct teak_error *error, char *out, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
