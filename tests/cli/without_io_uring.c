/* without_io_uring.c: run a command as on a machine that forbids io_uring.
 *
 *   without_io_uring ERRNO COMMAND [ARGUMENT...]
 *
 * A seccomp filter, which COMMAND and its children inherit, answers io_uring_setup with that number: EPERM as
 * containers and kernel.io_uring_disabled do, ENOSYS as a kernel without it. Exits 77 if the filter cannot be had.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const long answer = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
    if (answer < 1 || answer > 4095) {
        fprintf(stderr, "usage: without_io_uring ERRNO COMMAND [ARGUMENT...]\n");
        return 2;
    }
    /* A number that is a system call of this machine's; the command is of the same machine. */
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        fprintf(stderr, "no seccomp filter: %s\n", strerror(errno));
        return 77;
    }
    execvp(argv[2], argv + 2);
    fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
    return 127;
}
