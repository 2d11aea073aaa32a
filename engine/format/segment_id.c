/* segment_id.c: see segment_id.h. */
#include "format/segment_id.h"

#include "format/key.h"
#include "format/layout.h"

void segment_id_encode(const struct segment_id *id, uint8_t *out)
{
    struct layout_identity identity = {
        .magic = le64_of(MAGIC_IDENTITY),
        .version = le32_of(FORMAT_VERSION),
        .block_bytes = le32_of(id->block_bytes),
        .segment_bytes = le64_of(id->segment_bytes),
        .segment = le64_of(id->segment),
        .salt = le64_of(id->salt),
    };
    memcpy(identity.family, id->family, sizeof identity.family);
    struct key key;
    key_derive(&key, id->family, id->salt);
    key_seal_head(&key, &identity);
    memset(out, 0, id->block_bytes);
    memcpy(out, &identity, sizeof identity);
}

enum teak_status segment_id_judge(const uint8_t *bytes, const uint8_t family[16], struct segment_id *out)
{
    struct layout_identity identity;
    memcpy(&identity, bytes, sizeof identity);
    if (le64_get(identity.magic) != MAGIC_IDENTITY) return TEAK_BAD_MAGIC;
    struct key key;
    key_derive(&key, family, le64_get(identity.salt));
    if (!key_head_is_whole(&key, &identity)) return TEAK_HASH_MISMATCH;
    if (le32_get(identity.version) != FORMAT_VERSION) return TEAK_VERSION;
    if (le64_get(identity.features_refuse) != 0) return TEAK_FEATURE;
    *out = (struct segment_id){
        .segment = le64_get(identity.segment),
        .salt = le64_get(identity.salt),
        .block_bytes = le32_get(identity.block_bytes),
        .segment_bytes = le64_get(identity.segment_bytes),
    };
    memcpy(out->family, identity.family, sizeof out->family);
    if (memcmp(identity.family, family, sizeof identity.family) != 0) return TEAK_DECODE;
    return layout_sizes_are_sound(out->block_bytes, out->segment_bytes) ? TEAK_OK : TEAK_DECODE;
}

/* ---- names ---- */

enum { NUMBER_DIGITS = 16 };

static const char segment_end[] = ".seg";
static const char spare_begin[] = "spare-";
static const char temporary_end[] = ".tmp";

static void name_put(char out[NAME_BYTES], const char *begin, uint64_t number, const char *end)
{
    const size_t begin_bytes = strlen(begin);
    memcpy(out, begin, begin_bytes);
    for (uint32_t digit = 0; digit < NUMBER_DIGITS; digit++)
        out[begin_bytes + digit] = "0123456789abcdef"[number >> (60 - 4 * digit) & 15];
    memcpy(out + begin_bytes + NUMBER_DIGITS, end, strlen(end) + 1);
}

void name_segment(uint64_t segment, char out[NAME_BYTES]) { name_put(out, "", segment, segment_end); }
void name_spare(uint64_t number, char out[NAME_BYTES]) { name_put(out, spare_begin, number, segment_end); }
void name_spare_temporary(uint64_t number, char out[NAME_BYTES]) { name_put(out, spare_begin, number, temporary_end); }

/* Only the sixteen digits that name_put writes: what another program would write otherwise is not ours. */
static bool number_judge(const char *digits, uint64_t *number_out)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < NUMBER_DIGITS; i++) {
        const char c = digits[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a') + 10;
        else
            return false;
        number = number << 4 | digit;
    }
    *number_out = number;
    return true;
}

enum name_kind name_judge(const char *name, uint64_t *number_out)
{
    *number_out = 0;
    if (strcmp(name, "STORE") == 0) return NAME_STORE;
    if (strcmp(name, "STORE.tmp") == 0) return NAME_STORE_TEMPORARY;
    if (strcmp(name, "LOCK") == 0) return NAME_LOCK;
    if (strcmp(name, "STATS") == 0) return NAME_STATS;
    if (strcmp(name, "snapshots") == 0) return NAME_SNAPSHOTS;
    if (strcmp(name, "replaced") == 0) return NAME_REPLACED;
    const size_t begin_bytes = sizeof spare_begin - 1;
    const bool spare = strncmp(name, spare_begin, begin_bytes) == 0;
    const char *digits = spare ? name + begin_bytes : name;
    if (!number_judge(digits, number_out)) return NAME_OTHER;
    const char *end = digits + NUMBER_DIGITS;
    if (strcmp(end, segment_end) == 0) return spare ? NAME_SPARE : NAME_SEGMENT;
    if (spare && strcmp(end, temporary_end) == 0) return NAME_TEMPORARY;
    *number_out = 0;
    return NAME_OTHER;
}
