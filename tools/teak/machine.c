/* machine.c: see machine.h. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

static void copy_text(char *out, size_t room, const char *text)
{
    size_t bytes = strcspn(text, "\n");
    if (bytes >= room) bytes = room - 1;
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

/* The first line of a file; "" where there is none. */
static void line_of(const char *path, char *out, size_t room)
{
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    if (fgets(out, (int)room, file) == NULL) out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
}

/* The value of a line "key: value". */
static void value_of(const char *path, const char *key, char *out, size_t room)
{
    char line[512];
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon == NULL || strncmp(line, key, strlen(key)) != 0) continue;
        copy_text(out, room, colon + 1 + strspn(colon + 1, " \t"));
        break;
    }
    if (file != NULL) fclose(file);
}

/* A line of mountinfo: id parent major:minor root point options [optional...] - type source superoptions. */
static void look_at_mount(unsigned wanted_major, unsigned wanted_minor, struct machine *out)
{
    char line[2048];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        unsigned is_major, is_minor;
        char options[72], type[32], more[72];
        if (sscanf(line, "%*u %*u %u:%u %*s %*s %71s", &is_major, &is_minor, options) != 3) continue;
        const char *dash = strstr(line, " - ");
        if (is_major != wanted_major || is_minor != wanted_minor || dash == NULL) continue;
        if (sscanf(dash, " - %31s %*s %71s", type, more) != 2) continue;
        copy_text(out->filesystem, sizeof(out->filesystem), type);
        snprintf(out->mount_options, sizeof(out->mount_options), "%s%s%s", options, more[0] != '\0' ? "; " : "",
                 strncmp(more, "rw,", 3) == 0 ? more + 3 : more);
        break;
    }
    if (file != NULL) fclose(file);
}

/* The queue belongs to the whole disk, of which the device may be a part. */
static void queue_line(const char *base, const char *name, char *out, size_t room)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/queue/%s", base, name);
    line_of(path, out, room);
    if (out[0] != '\0') return;
    snprintf(path, sizeof(path), "%s/../queue/%s", base, name);
    line_of(path, out, room);
}

/* Of "none [mq-deadline] bfq" what is in force. */
static void take_chosen(char *text)
{
    const char *open = strchr(text, '[');
    const char *end = open != NULL ? strchr(open, ']') : NULL;
    if (end == NULL) return;
    const size_t bytes = (size_t)(end - open) - 1;
    memmove(text, open + 1, bytes);
    text[bytes] = '\0';
}

static int queue_bool(const char *base, const char *name)
{
    char text[16];
    queue_line(base, name, text, sizeof(text));
    return text[0] == '1' ? 1 : text[0] == '0' ? 0 : -1;
}

static uint32_t queue_number(const char *base, const char *name)
{
    char text[24];
    queue_line(base, name, text, sizeof(text));
    return (uint32_t)strtoul(text, NULL, 10);
}

static void look_at_device(unsigned is_major, unsigned is_minor, struct machine *out)
{
    char base[64], path[96], where[256];
    struct stat info;
    snprintf(base, sizeof(base), "/sys/dev/block/%u:%u", is_major, is_minor);
    const ssize_t bytes = readlink(base, where, sizeof(where) - 1);
    if (bytes > 0) {
        where[bytes] = '\0';
        const char *slash = strrchr(where, '/');
        copy_text(out->device, sizeof(out->device), slash != NULL ? slash + 1 : where);
    }
    queue_line(base, "write_cache", out->write_cache, sizeof(out->write_cache));
    queue_line(base, "scheduler", out->scheduler, sizeof(out->scheduler));
    take_chosen(out->scheduler);
    out->fua = queue_bool(base, "fua");
    out->rotational = queue_bool(base, "rotational");
    out->logical_block = queue_number(base, "logical_block_size");
    out->physical_block = queue_number(base, "physical_block_size");
    snprintf(path, sizeof(path), "%s/mq", base);
    out->counts_flushes = stat(path, &info) == 0;
    snprintf(path, sizeof(path), "%s/../mq", base);
    if (!out->counts_flushes) out->counts_flushes = stat(path, &info) == 0;
    snprintf(path, sizeof(path), "%s/device/model", base);
    line_of(path, out->model, sizeof(out->model));
}

void machine_look(const char *directory, struct machine *out)
{
    *out = (struct machine){.fua = -1, .rotational = -1};
    struct utsname name;
    struct stat info;
    char memory[48];
    if (uname(&name) == 0)
        snprintf(out->kernel, sizeof(out->kernel), "%.20s %.40s %.16s", name.sysname, name.release, name.machine);
    value_of("/proc/cpuinfo", "model name", out->processor, sizeof(out->processor));
    value_of("/proc/meminfo", "MemTotal", memory, sizeof(memory));
    out->memory_bytes = strtoull(memory, NULL, 10) * 1024;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    out->processors = processors > 0 ? (uint32_t)processors : 0;
    if (stat(directory, &info) != 0) return;
    look_at_mount(major(info.st_dev), minor(info.st_dev), out);
    look_at_device(major(info.st_dev), minor(info.st_dev), out);
}

static void maybe_bool(struct json *json, const char *key, int value)
{
    if (value < 0)
        json_null(json, key);
    else
        json_bool(json, key, value == 1);
}

void machine_json(struct json *json, const char *key, const struct machine *machine)
{
    json_object(json, key);
    json_text(json, "kernel", machine->kernel);
    json_text(json, "processor", machine->processor);
    json_number(json, "processors", machine->processors);
    json_number(json, "memory_bytes", machine->memory_bytes);
    json_text(json, "filesystem", machine->filesystem);
    json_text(json, "mount_options", machine->mount_options);
    json_text(json, "device", machine->device);
    json_text(json, "model", machine->model);
    json_text(json, "write_cache", machine->write_cache);
    maybe_bool(json, "fua", machine->fua);
    maybe_bool(json, "rotational", machine->rotational);
    json_text(json, "scheduler", machine->scheduler);
    json_number(json, "logical_block_bytes", machine->logical_block);
    json_number(json, "physical_block_bytes", machine->physical_block);
    json_close(json);
}
