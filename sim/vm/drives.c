/* SPDX-License-Identifier: BSD-3-Clause */
/* drives.c: where QEMU reads a layout's devices. */
#include "drives.h"

#include <romsim/cleanup.h>
#include <romsim/paths.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A descriptor of the same open file: QEMU's use of it keeps the volume's lock. */
static int use_volume(const struct romsim_volume_hold *hold, struct qemu_drive *drive,
                      struct romsim_error *err)
{
    drive->is_writable = hold->is_writable;
    drive->fd = fcntl(hold->fd, F_DUPFD_CLOEXEC, 0);
    return drive->fd < 0 ? romsim_error_system(err, errno, "cannot open %s", drive->name) : 0;
}

static int drives_new(const struct romsim_layout *layout, const struct volumes *volumes,
                      struct drives *ret, struct romsim_error *err)
{
    struct drives drives = {.count = layout->device_count};

    drives.items = calloc(drives.count ? drives.count : 1, sizeof(*drives.items));
    if (!drives.items)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < drives.count; i++)
        drives.items[i] = (struct qemu_drive){.name = layout->devices[i].indexed_name, .fd = -1};
    for (size_t i = 0; i < drives.count; i++) {
        const struct romsim_volume_hold *hold = volumes_hold(volumes, &layout->devices[i]);

        if (hold && use_volume(hold, &drives.items[i], err) < 0) {
            drives_close(&drives);
            return -1;
        }
    }
    *ret = drives;
    return 0;
}

static void *serve(void *argument)
{
    struct drives_server *server = argument;

    if (romsim_fs_serve(server->fs, &server->error) < 0)
        atomic_store(&server->has_failed, true);
    return NULL;
}

/* All signals are for the main thread. */
static int start_server(struct drives_server *server, struct romsim_error *err)
{
    sigset_t all, before;
    int problem;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    problem = pthread_create(&server->thread, NULL, serve, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    server->is_running = problem == 0;
    return problem ? romsim_error_system(err, problem, "cannot start a thread") : 0;
}

/* A ROM that is made to be missing has none: QEMU gets no drive for it. */
static int name_files(const struct romsim_layout *layout, const char *mount_point,
                      const struct romsim_faults *faults, struct drives *drives,
                      struct romsim_error *err)
{
    for (size_t i = 0; i < drives->count; i++)
        if (layout->devices[i].blob && !romsim_faults_miss(faults, &layout->devices[i]) &&
            asprintf(&drives->items[i].filename, "%s/dev/%s", mount_point,
                     layout->devices[i].indexed_name) < 0) {
            drives->items[i].filename = NULL;
            return romsim_error_nomem(err);
        }
    return 0;
}

int drives_open_view(const struct romsim_layout *layout, const struct volumes *volumes,
                     struct romsim_state *state, const struct romsim_seam_options *seam,
                     struct drives *ret, struct romsim_error *err)
{
    const struct romsim_fs_options options = {.drives_only = true, .seam = *seam};
    CLEANUP_FREE char *point = romsim_path_join(romsim_state_directory(state), "drives");
    struct drives drives = {0};

    if (romsim_fs_probe(err) < 0)
        return -1;
    if (!point)
        return romsim_error_nomem(err);
    if (romsim_path_make(point, 0700, err) < 0 || drives_new(layout, volumes, &drives, err) < 0)
        return -1;
    drives.server = calloc(1, sizeof(*drives.server));
    if (!drives.server) {
        drives_close(&drives);
        return romsim_error_nomem(err);
    }
    if (name_files(layout, point, seam->faults, &drives, err) == 0 &&
        romsim_state_set_mount(state, point, err) == 0 &&
        (drives.server->fs = romsim_fs_mount(layout, point, &options, err)) &&
        start_server(drives.server, err) == 0) {
        *ret = drives;
        return 0;
    }
    drives_close(&drives);
    return -1;
}

/* The descriptor of a blob may be for writing as well (a memfd); QEMU gets one for reading. */
static int open_for_reading(const struct romsim_blob *blob, struct qemu_drive *drive,
                            struct romsim_error *err)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", romsim_blob_fd(blob, &drive->offset));
    drive->size = romsim_blob_size(blob);
    drive->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (drive->fd < 0)
        return romsim_error_system(err, errno, "cannot open the file of %s again", drive->name);
    return 0;
}

int drives_open_files(const struct romsim_layout *layout, const struct volumes *volumes,
                      struct drives *ret, struct romsim_error *err)
{
    struct drives drives;

    if (drives_new(layout, volumes, &drives, err) < 0)
        return -1;
    for (size_t i = 0; i < drives.count; i++)
        if (layout->devices[i].blob &&
            open_for_reading(layout->devices[i].blob, &drives.items[i], err) < 0) {
            drives_close(&drives);
            return -1;
        }
    *ret = drives;
    return 0;
}

void drives_inherit(const struct drives *drives, int *list)
{
    while (*list >= 0)
        list++;
    for (size_t i = 0; i < drives->count; i++)
        if (drives->items[i].fd >= 0)
            *list++ = drives->items[i].fd;
    *list = -1;
}

const struct romsim_error *drives_failure(const struct drives *drives)
{
    return drives->server && atomic_load(&drives->server->has_failed) ? &drives->server->error
                                                                      : NULL;
}

void drives_note_phase(const struct drives *drives, const char *name)
{
    if (drives->server)
        romsim_fs_phase(drives->server->fs, name);
}

void drives_note_open(const struct drives *drives, const struct romsim_trace_open *opened)
{
    if (drives->server)
        romsim_fs_open(drives->server->fs, opened);
}

void drives_let_go(const struct drives *drives)
{
    if (drives->server && drives->server->is_running)
        romsim_fs_hurry(drives->server->fs);
}

void drives_close(struct drives *drives)
{
    struct drives_server *server = drives->server;

    if (server && server->is_running) {
        romsim_fs_stop(server->fs);
        pthread_join(server->thread, NULL);
    }
    if (server)
        romsim_fs_free(server->fs);
    free(server);
    for (size_t i = 0; i < drives->count; i++) {
        cleanup_close_fd(&drives->items[i].fd);
        free(drives->items[i].filename);
    }
    free(drives->items);
    *drives = (struct drives){0};
}
