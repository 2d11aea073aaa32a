/* command.h: the subcommands of `teak`. Each gets the words after its own name and returns the exit status. */
#ifndef TEAK_TOOLS_COMMAND_H
#define TEAK_TOOLS_COMMAND_H

enum exit_status {
    EXIT_GOOD = 0,
    EXIT_PROBLEM = 1, /* the work met one: damage, no space, an I/O error, ...              */
    EXIT_WRONG = 2,   /* wrong use: nothing was done; one line says what to write instead   */
};

/* argv[0] is the subcommand's name. */
int cmd_append(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_repair(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_copy(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_bench_append(int argc, char **argv);
int cmd_bench_ceiling(int argc, char **argv);
int cmd_tune(int argc, char **argv);

#endif
