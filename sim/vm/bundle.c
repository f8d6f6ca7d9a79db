/* SPDX-License-Identifier: BSD-3-Clause */
/* bundle.c: where the guest's kernel and initramfs are. */
#include <romsim/vm.h>

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Relative to the program's folder: a checkout's build/ (plain; sanitized, one deeper), an
 * installation's bin/. */
static const struct {
    const char *path;
    const char *why;
} places[] = {{"guest", "beside the program"},
              {"../guest", "beside the program"},
              {"guest-host", "beside the program, where no other is"},
              {"../guest-host", "beside the program, where no other is"},
              {"../lib/romsim/guest", "installed with the program"}};

/* Of the word in `info` for where the kernel is from. */
static const struct {
    const char *word;
    const char *text;
} origins[] = {{"package", "the distribution's kernel"},
               {"host", "the kernel of the machine on which it was made"},
               {"tiny", "a kernel built for this"}};

enum { PLACES = sizeof(places) / sizeof(places[0]) };

static char *value_of(const char *text, const char *key)
{
    size_t size = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) == 0 && line[size] == ' ')
            return strndup(line + size + 1, strcspn(line + size + 1, "\n"));
    }
    return NULL;
}

/* A bundle that was made before says nothing of it. */
static const char *origin_of(const char *text)
{
    CLEANUP_FREE char *value = value_of(text, "kernel");

    for (size_t i = 0; value && i < sizeof(origins) / sizeof(origins[0]); i++)
        if (strncmp(value, origins[i].word, strlen(origins[i].word)) == 0)
            return origins[i].text;
    return "a kernel of unknown origin";
}

/* Reads the bundle's `info`; without release, and with errno, if that cannot be opened. */
static void read_info(const char *directory, struct romsim_bundle *bundle)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "info");
    CLEANUP_FILE FILE *file = path ? fopen(path, "re") : NULL;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    CLEANUP_FREE char *arch = NULL;

    if (!file)
        return;
    errno = 0;
    if (romsim_buffer_read_fd(&text, fileno(file)) < 0 || !text.data)
        return;
    bundle->kernel_release = value_of(text.data, "release");
    bundle->kernel_package = value_of(text.data, "package");
    bundle->kernel_origin = origin_of(text.data);
    arch = value_of(text.data, "arch");
    bundle->arch = arch ? romsim_arch_find(arch) : ROMSIM_ARCH_AMD64;
}

/* Is it this process that has not enough of something?  Then it does not know what is there. */
static bool is_shortage(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}

/* Is a whole bundle in this folder?  1, 0, or -1 if that cannot be found out; takes the folder's
 * name. */
static int take_directory(char *directory, struct romsim_bundle *ret, struct romsim_error *err)
{
    struct romsim_bundle bundle = {.directory = directory};
    int problem;

    errno = ENOMEM;
    if (directory) {
        bundle.kernel = romsim_path_join(directory, "vmlinux");
        bundle.initrd = romsim_path_join(directory, "initrd");
        bundle.shell_initrd = romsim_path_join(directory, "initrd.shell");
        read_info(directory, &bundle);
    }
    if (bundle.kernel && bundle.initrd && bundle.shell_initrd && bundle.kernel_release &&
        access(bundle.kernel, R_OK) == 0 && access(bundle.initrd, R_OK) == 0) {
        *ret = bundle;
        return 1;
    }
    problem = errno;
    if (is_shortage(problem))
        romsim_error_system(err, problem, "cannot look for the guest bundle in '%s'",
                            directory ? QUOTE(directory) : "");
    romsim_bundle_release(&bundle);
    return is_shortage(problem) ? -1 : 0;
}

/* The same, and is it for the instance's architecture? */
static int take_fitting(char *directory, struct romsim_bundle *ret, struct romsim_error *err)
{
    struct romsim_bundle bundle;
    int taken = take_directory(directory, &bundle, err);

    if (taken > 0 && bundle.arch != romsim_arch()) {
        romsim_bundle_release(&bundle);
        return 0;
    }
    if (taken > 0)
        *ret = bundle;
    return taken;
}

/* That of this machine's own architecture has no word behind its name. */
static char *place(const char *program, size_t index)
{
    CLEANUP_FREE char *path = romsim_path_join(program, places[index % PLACES].path);
    char *named = NULL;

    if (index < PLACES || !path)
        return STEAL_POINTER(&path);
    return asprintf(&named, "%s-%s", path, romsim_arch_facts()->name) < 0 ? NULL : named;
}

int romsim_bundle_find(struct romsim_bundle *ret, struct romsim_error *err)
{
    CLEANUP_FREE char *program = romsim_path_program_folder();
    const char *chosen = getenv("ROMSIM_GUEST"), *name = romsim_arch_facts()->name;
    bool is_host = romsim_arch() == romsim_arch_host();
    int taken = 0;

    if (chosen && *chosen) {
        taken = take_directory(strdup(chosen), ret, err);
        if (taken > 0 && ret->arch != romsim_arch()) {
            romsim_error_set(err, EINVAL, "the guest bundle in %s (ROMSIM_GUEST) is not for %s",
                             QUOTE(chosen), name);
            romsim_bundle_release(ret);
            return romsim_error_hint(err, "its file 'info' says what it is for; see --arch");
        }
        if (taken > 0)
            ret->why = "named by ROMSIM_GUEST";
        if (taken != 0)
            return taken > 0 ? 0 : -1;
        romsim_error_set(err, ENOENT, "no guest bundle in %s (ROMSIM_GUEST)", QUOTE(chosen));
        return romsim_error_hint(err, "it has the files vmlinux, initrd and info");
    }
    for (size_t i = 0; taken == 0 && program && i < 2 * PLACES; i++)
        if ((taken = take_fitting(place(program, i), ret, err)) > 0)
            ret->why = places[i % PLACES].why;
    if (taken != 0)
        return taken > 0 ? 0 : -1;
    romsim_error_set(err, ENOENT, "the %s%sguest bundle (kernel and initramfs) is missing",
                     is_host ? "" : name, is_host ? "" : " ");
    return romsim_error_hint(err, "run 'make guest%s%s' in romsim's source folder",
                             is_host ? "" : " ARCH=", is_host ? "" : name);
}

void romsim_bundle_release(struct romsim_bundle *bundle)
{
    free(bundle->directory);
    free(bundle->kernel);
    free(bundle->initrd);
    free(bundle->shell_initrd);
    free(bundle->kernel_release);
    free(bundle->kernel_package);
    *bundle = (struct romsim_bundle){0};
}
