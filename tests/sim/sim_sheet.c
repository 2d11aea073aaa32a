/* sim_sheet.c: see sim_sheet.h. */
#include "sim_sheet.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "base/check.h"

enum { PAGE = 4096 };

struct sheet_page {
    uint32_t uses;
    bool is_summed;
    uint64_t sum;
    uint8_t bytes[PAGE];
};

static const uint8_t zeros[PAGE];

static struct sheet_page *make_page(const uint8_t *bytes)
{
    struct sheet_page *page = malloc(sizeof *page);
    CHECK(page != NULL);
    page->uses = 1;
    page->is_summed = false;
    memcpy(page->bytes, bytes, PAGE);
    return page;
}

static void give_page(struct sheet_page *page)
{
    if (page && --page->uses == 0) free(page);
}

static void make_room(struct sheet *sheet, uint32_t count)
{
    if (count <= sheet->count) return;
    count = (uint32_t)align_up(count, 16);
    sheet->pages = realloc(sheet->pages, count * sizeof *sheet->pages);
    CHECK(sheet->pages != NULL);
    memset(sheet->pages + sheet->count, 0, (count - sheet->count) * sizeof *sheet->pages);
    sheet->count = count;
}

void sheet_read(const struct sheet *sheet, uint64_t offset, void *out, size_t bytes)
{
    uint8_t *to = out;
    while (bytes > 0) {
        const uint64_t at = offset / PAGE;
        const size_t skipped = (size_t)(offset % PAGE), count = bytes < PAGE - skipped ? bytes : PAGE - skipped;
        const struct sheet_page *page = at < sheet->count ? sheet->pages[at] : NULL;
        memcpy(to, (page ? page->bytes : zeros) + skipped, count);
        to += count;
        offset += count;
        bytes -= count;
    }
}

/* The page, no copy's but this one's. */
static struct sheet_page *own_page(struct sheet *sheet, uint32_t at)
{
    struct sheet_page *page = sheet->pages[at];
    if (page && page->uses == 1) return page;
    sheet->pages[at] = make_page(page ? page->bytes : zeros);
    give_page(page);
    return sheet->pages[at];
}

void sheet_write(struct sheet *sheet, uint64_t offset, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        const uint32_t at = (uint32_t)(offset / PAGE);
        const size_t skipped = (size_t)(offset % PAGE), count = bytes < PAGE - skipped ? bytes : PAGE - skipped;
        const struct sheet_page *page = at < sheet->count ? sheet->pages[at] : NULL;
        if (memcmp((page ? page->bytes : zeros) + skipped, from, count) != 0) {
            make_room(sheet, at + 1);
            struct sheet_page *own = own_page(sheet, at);
            memcpy(own->bytes + skipped, from, count);
            own->is_summed = false;
        }
        from += count;
        offset += count;
        bytes -= count;
    }
}

void sheet_cut(struct sheet *sheet, uint64_t bytes)
{
    if (bytes % PAGE > 0 && bytes / PAGE < sheet->count && sheet->pages[bytes / PAGE])
        sheet_write(sheet, bytes, zeros, PAGE - bytes % PAGE);
    for (uint32_t at = (uint32_t)((bytes + PAGE - 1) / PAGE); at < sheet->count; at++) {
        give_page(sheet->pages[at]);
        sheet->pages[at] = NULL;
    }
}

struct sheet sheet_copy(const struct sheet *from)
{
    struct sheet copy = {0};
    make_room(&copy, from->count);
    for (uint32_t at = 0; at < from->count; at++) {
        copy.pages[at] = from->pages[at];
        if (copy.pages[at]) copy.pages[at]->uses++;
    }
    return copy;
}

void sheet_free(struct sheet *sheet)
{
    for (uint32_t at = 0; at < sheet->count; at++) give_page(sheet->pages[at]);
    free(sheet->pages);
    *sheet = (struct sheet){0};
}

uint64_t sheet_sum(const struct sheet *sheet, uint64_t bytes)
{
    static uint64_t sum_of_zeros;
    if (sum_of_zeros == 0) sum_of_zeros = XXH3_64bits(zeros, PAGE);
    uint64_t sum = bytes;
    const uint64_t count = (bytes + PAGE - 1) / PAGE;
    for (uint64_t at = 0; at < count; at++) {
        struct sheet_page *page = at < sheet->count ? sheet->pages[at] : NULL;
        if (page && !page->is_summed) {
            page->sum = XXH3_64bits(page->bytes, PAGE);
            page->is_summed = true;
        }
        sum = (sum ^ (page ? page->sum : sum_of_zeros)) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 31;
    }
    return sum;
}
