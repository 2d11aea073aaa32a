/* raft_wire_fuzz.c: any bytes, as a message of Raft. What is judged one is read to its last byte, in memory that ends
 * where the input ends; encoded again it is judged the same message. What is none has touched nothing.
 *
 * The first byte's highest bit says that magic, version, length and sum are made good first; its lowest six how many
 * entries there is room for.
 */
#include <stdlib.h>

#include "golden/wire_samples.h"
#include "spite.h"
#include "wire/wire_sum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

enum { REPAIR = 0x80, ROOM = 64 };

static volatile uint64_t seen; /* so that no read is optimised away */

static void read_all(const uint8_t *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) seen += bytes[i];
}

static void make_good(uint8_t *bytes, size_t size)
{
    struct wire_head head;
    if (size < sizeof head) return;
    memcpy(&head, bytes, sizeof head);
    head.magic = le32_of(WIRE_MAGIC);
    head.bytes = le32_of((uint32_t)size);
    if (head.version == 0 || head.version > 2) head.version = WIRE_VERSION;
    memcpy(bytes, &head, sizeof head);
    const struct teak_raft_span all = {.data = bytes + WIRE_SUM_BYTES, .bytes = size - WIRE_SUM_BYTES};
    head.sum = le64_of(wire_sum(wire_seed(&head), &all, 1));
    memcpy(bytes, &head.sum, sizeof head.sum);
}

static void read_message(const struct teak_raft_msg *msg)
{
    for (uint32_t i = 0; i < msg->count; i++) read_all(msg->entries[i].data, msg->entries[i].bytes);
    if (!msg->chunk) return;
    read_all(msg->chunk->data, msg->chunk->bytes);
    read_all(msg->chunk->snapshot.config, msg->chunk->snapshot.config_bytes);
}

static void encode_again(const struct teak_raft_msg *msg, size_t size)
{
    struct teak_raft_entry entries[ROOM];
    struct teak_raft_wire_in in = {.entries = entries, .entry_max = ROOM};
    uint8_t *again = malloc(size);
    if (!again) abort();
    const size_t count = sample_encode(msg, again, size); /* it never becomes longer */
    if (count == 0 || teak_raft_wire_judge(again, count, NULL, &in) != TEAK_RAFT_OK) abort();
    if (!same_message(msg, &in.msg) || in.level != WIRE_LEVEL) abort();
    free(again);
}

static void judge(const uint8_t *bytes, size_t size, uint32_t room)
{
    struct teak_raft_entry entries[ROOM];
    struct teak_raft_wire_in in, before;
    static const struct teak_raft_entry untouched[ROOM];
    memset(entries, 0, sizeof entries);
    memset(&in, 0, sizeof in);
    in.entries = entries;
    in.entry_max = room;
    before = in;
    const enum teak_raft_status status = teak_raft_wire_judge(bytes, size, NULL, &in);
    size_t whole;
    if (status == TEAK_RAFT_OK) {
        if (in.msg.count > room || teak_raft_wire_measure(bytes, size, size, &whole) != TEAK_RAFT_OK || whole != size)
            abort();
        read_message(&in.msg);
        encode_again(&in.msg, size);
    } else {
        if (status != TEAK_RAFT_BAD_MESSAGE && status != TEAK_RAFT_DROPPED && status != TEAK_RAFT_TOO_LARGE) abort();
        if (memcmp(&in, &before, sizeof in) != 0 || memcmp(entries, untouched, sizeof entries) != 0) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    uint8_t *bytes = malloc(size > 1 ? size - 1 : 1);
    if (!bytes) abort();
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & REPAIR) make_good(bytes, size - 1);
    judge(bytes, size - 1, data[0] % ROOM);
    free(bytes);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct seeded dice = {.state = seed};
    if (size < 9 || max_size < 9 || seeded_below(&dice, 3) == 0) return LLVMFuzzerMutate(data, size, max_size);
    for (uint32_t n = 1 + seeded_below(&dice, 4); n > 0; n--) spoil_field(&dice, data + 1, size - 1, 8);
    if (seeded_below(&dice, 3) == 0) { /* whole words more or fewer, for parts come in words */
        const size_t most = (max_size - 1) / 8, words = 1 + seeded_below(&dice, (uint32_t)most);
        const size_t longer = 1 + 8 * words;
        if (longer > size) memset(data + size, 0, longer - size);
        size = longer;
    }
    data[0] = (uint8_t)(seeded_below(&dice, 4) ? data[0] | REPAIR : data[0] & ~REPAIR); /* mostly with good sums */
    return size;
}
