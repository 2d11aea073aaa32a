/* sim_sheet.h: the bytes of a simulated file, in pages that copies share until one of them writes: so an image of a
 * whole disk costs its list of pages, and its sum the pages that nobody summed yet.
 */
#ifndef TEAK_TESTS_SIM_SHEET_H
#define TEAK_TESTS_SIM_SHEET_H

#include <stddef.h>
#include <stdint.h>

struct sheet_page;

struct sheet {
    struct sheet_page **pages; /* NULL: zeros, as everything behind the last */
    uint32_t count;
};

void sheet_read(const struct sheet *sheet, uint64_t offset, void *out, size_t bytes);
void sheet_write(struct sheet *sheet, uint64_t offset, const void *data, size_t bytes);
void sheet_cut(struct sheet *sheet, uint64_t bytes);              /* zeros from there on */
struct sheet sheet_copy(const struct sheet *from);
void sheet_free(struct sheet *sheet);
uint64_t sheet_sum(const struct sheet *sheet, uint64_t bytes);    /* of its beginning; what lies behind is zeros */

#endif
