#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/ticket.h"

static void tickets_come_out_as_they_went_in_up_to_the_durable_lsn(void **state)
{
    (void)state;
    struct tickets tickets;
    assert_true(tickets_init(&tickets, 8));
    struct ticket out;
    assert_false(ticket_take(&tickets, UINT64_MAX, &out));
    uint64_t put = 0, taken = 0;
    for (int lap = 0; lap < 5; lap++) {
        while (!tickets_are_full(&tickets)) {
            ticket_put(&tickets, put, put / 3);
            put++;
        }
        assert_int_equal(tickets.end - tickets.begin, 8);
        const uint64_t durable = (put - 1) / 3 - 1;
        while (ticket_take(&tickets, durable, &out)) {
            assert_int_equal(out.tag, taken);
            assert_int_equal(out.lsn, taken / 3);
            taken++;
        }
        assert_int_equal(taken / 3, durable + 1);
        assert_int_equal(taken % 3, 0);
        assert_false(tickets_are_full(&tickets));
    }
    while (ticket_take(&tickets, UINT64_MAX, &out)) taken++;
    assert_int_equal(taken, put);
    assert_true(tickets_are_empty(&tickets));
    tickets_fini(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_come_out_as_they_went_in_up_to_the_durable_lsn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
