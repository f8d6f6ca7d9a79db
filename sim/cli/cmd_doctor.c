/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_doctor.c: `romsim doctor`: what this machine has of what romsim needs, and the remedies.
 *
 * A check never guesses: KVM runs a guest, FUSE is opened, folders are made.
 */
#include "sim/cli/cli.h"

#include <romsim/arch.h>
#include <romsim/buffer.h>
#include <romsim/fs.h>
#include <romsim/needs.h>
#include <romsim/paths.h>
#include <romsim/program.h>
#include <romsim/sandbox.h>
#include <romsim/state.h>
#include <romsim/store.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The memory of an instance that says nothing of it. */
enum { USUAL_MB = 128 };

/* GOOD, or what works less well without it, or what nothing works without. */
enum health { HEALTH_GOOD, HEALTH_LESS, HEALTH_BAD };

static const char *const health_names[] = {"ok", "less", "missing"};

struct finding {
    enum health health;
    char detail[512];
    char remedy[512]; /* "" if there is nothing to do */
};

__attribute__((format(printf, 3, 4))) static void find(struct finding *finding, enum health health,
                                                       const char *format, ...)
{
    va_list arguments;

    finding->health = health;
    va_start(arguments, format);
    vsnprintf(finding->detail, sizeof(finding->detail), format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void remedy(struct finding *finding,
                                                         const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(finding->remedy, sizeof(finding->remedy), format, arguments);
    va_end(arguments);
}

/* What a program prints, malloc'ed, or NULL if it cannot be run or fails. */
static char *output_of(const char *const *argv)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    const struct romsim_program program = {.argv = argv, .printed = &text};
    int status;

    if (romsim_program_run(&program, &status, NULL) < 0 || status != 0)
        return NULL;
    return romsim_buffer_steal(&text);
}

static bool is_there(const char *name)
{
    CLEANUP_FREE char *path = romsim_program_find(name);

    return path != NULL;
}

/* ---- the checks -------------------------------------------------------------------------------
 */

static void check_host(struct finding *finding)
{
    const char *name = romsim_arch_facts()->name;
    struct utsname system;

    uname(&system);
    if (romsim_arch_find(system.machine) == romsim_arch())
        find(finding, HEALTH_GOOD, "%s %s on %s, and guests are %s", system.sysname, system.release,
             system.machine, name);
    else
        find(finding, HEALTH_LESS, "%s %s on %s: guests are %s and will be emulated",
             system.sysname, system.release, system.machine, name);
}

static void check_qemu(struct finding *finding)
{
    const char *qemu = romsim_arch_facts()->qemu;
    const char *const command[] = {qemu, "--version", NULL};
    CLEANUP_FREE char *version = output_of(command);

    if (version) {
        version[strcspn(version, "\n")] = '\0';
        find(finding, HEALTH_GOOD, "%s", QUOTE(version));
        return;
    }
    find(finding, HEALTH_BAD, "%s cannot be run: no instance can be started", qemu);
    remedy(finding, "install QEMU (Debian: apt-get install %s)", romsim_arch_facts()->qemu_package);
}

static void check_accelerator(struct finding *finding)
{
    CLEANUP_FREE char *reason = NULL;
    enum romsim_accel accel = romsim_accel_probe(false, &reason, NULL);

    find(finding, accel == ROMSIM_ACCEL_KVM ? HEALTH_GOOD : HEALTH_LESS, "%s",
         reason ? reason : "out of memory");
    if (accel == ROMSIM_ACCEL_KVM || romsim_arch() != romsim_arch_host())
        return;
    if (access("/dev/kvm", F_OK) == 0 && access("/dev/kvm", R_OK | W_OK) < 0)
        remedy(finding, "add yourself to the group of /dev/kvm (usermod -aG kvm NAME)");
    else if (access("/dev/kvm", F_OK) == 0)
        remedy(finding, "inside a VM, its host has to allow nested virtualisation");
    else
        remedy(finding, "load the module kvm_intel or kvm_amd, and allow virtualisation in the "
                        "firmware");
}

/* Not every QEMU was built with what the guest's network is made of. */
static void check_network(struct finding *finding)
{
    const char *qemu = romsim_arch_facts()->qemu;
    const char *const networks[] = {qemu, "-machine", "none", "-netdev", "help", NULL};
    const char *const objects[] = {qemu, "-machine", "none", "-object", "help", NULL};
    CLEANUP_FREE char *network = output_of(networks);
    CLEANUP_FREE char *object = output_of(objects);

    if (!network || !object) {
        find(finding, HEALTH_BAD, "unknown without %s", qemu);
    } else if (!strstr(network, "\nuser\n")) {
        find(finding, HEALTH_BAD, "this QEMU has no user network: no instance can be started");
        remedy(finding, "install a QEMU that was built with libslirp");
    } else if (!strstr(object, "filter-redirector")) {
        find(finding, HEALTH_LESS,
             "this QEMU has no filter-redirector: instances start with --allow-host --isolated "
             "only, and reach this machine's services then, and no other instance");
        remedy(finding, "install a QEMU that was built with it");
    } else {
        find(finding, HEALTH_GOOD,
             "QEMU's user network, behind a gate: guests reach each other and other machines, "
             "not this one");
    }
}

static void check_guest(struct finding *finding)
{
    struct romsim_bundle bundle;
    struct romsim_error err = {0};

    if (romsim_bundle_find(&bundle, &err) < 0) {
        find(finding, HEALTH_BAD, "%s", err.message);
        remedy(finding, "%s", err.hint);
        return;
    }
    find(finding, HEALTH_GOOD, "Linux %s in %s (%s), %s; %s", QUOTE(bundle.kernel_release),
         QUOTE(bundle.directory), QUOTE(bundle.kernel_package ?: "of an unknown package"),
         bundle.kernel_origin, bundle.why);
    romsim_bundle_release(&bundle);
}

static void check_fuse(struct finding *finding)
{
    struct romsim_error err = {0};

    if (romsim_fs_probe(&err) < 0) {
        find(finding, HEALTH_LESS,
             "%s: `romsim mount` will not work, `run` reads the files "
             "directly",
             err.message);
        remedy(finding, "%s", err.hint);
    } else {
        find(finding, HEALTH_GOOD, "file systems can be mounted");
    }
}

static void check_sandbox(struct finding *finding)
{
    unsigned applied = romsim_sandbox_probe();
    char lack[ROMSIM_SANDBOX_TEXT];

    romsim_sandbox_lack(applied, lack);
    if (!*lack) {
        find(finding, HEALTH_GOOD,
             "images are read without privileges, files and most system calls");
        return;
    }
    find(finding, HEALTH_LESS, "images are read with%s sandbox: %s",
         applied ? " less of a" : "out a", lack);
    remedy(finding, "in a container, its seccomp profile may be what refuses it");
}

static void check_folders(struct finding *finding)
{
    struct romsim_error err = {0};
    CLEANUP_FREE char *cache = romsim_path_cache("", &err);
    CLEANUP_FREE char *data = cache ? romsim_path_data("", &err) : NULL;
    CLEANUP_FREE char *state = data ? romsim_path_state("", &err) : NULL;

    if (!state || access(cache, W_OK) < 0 || access(data, W_OK) < 0 || access(state, W_OK) < 0) {
        find(finding, HEALTH_BAD, "%s", state ? "a folder cannot be written" : err.message);
        remedy(finding,
               "set XDG_CACHE_HOME, XDG_DATA_HOME and XDG_RUNTIME_DIR to folders of yours");
        return;
    }
    find(finding, HEALTH_GOOD, "cache %s, images %s, state %s", QUOTE(cache), QUOTE(data),
         QUOTE(state));
}

/* The first port that an ordinary user may bind. */
static unsigned first_free_port(void)
{
    CLEANUP_FILE FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    unsigned port = 1024;

    if (file && fscanf(file, "%u", &port) != 1)
        port = 1024;
    return port;
}

static void check_ports(struct finding *finding)
{
    unsigned first = geteuid() == 0 ? 1 : first_free_port();

    find(finding, HEALTH_GOOD, "services appear on 127.0.0.1, on ports from %u", first ? first : 1);
    if (first > 1)
        remedy(finding, "lower ones get 8000 more: 80 is 8080, 443 is 8443");
}

/* buildah in its user namespace, which AppArmor (as of Ubuntu 24.04), a setting or a container may
 * refuse.  Its profile may allow what ours does not: so it is asked. */
static void try_buildah(struct finding *finding)
{
    static const char *const argv[] = {"buildah", "unshare", "true", NULL};
    CLEANUP_BUFFER struct romsim_buffer words = ROMSIM_BUFFER_INIT(4096);
    const struct romsim_program program = {.argv = argv, .complaints = &words};
    const char *last;
    int status;

    if (!is_there(argv[0]) || romsim_program_run(&program, &status, NULL) < 0 || status == 0)
        return;
    while (words.size > 0 && words.data[words.size - 1] == '\n')
        words.data[--words.size] = '\0';
    last = words.size > 0 ? strrchr(words.data, '\n') : "";
    find(finding, HEALTH_LESS,
         "buildah cannot build a Dockerfile without root, for want of a user namespace: %.200s",
         QUOTE(last ? last + (*last == '\n') : words.data));
    remedy(finding,
           "the sysctls kernel.apparmor_restrict_unprivileged_userns, kernel.unprivileged_userns_"
           "clone and user.max_user_namespaces forbid them; docker, or an image built elsewhere, "
           "needs none");
}

/* Does /etc/subuid give this user a range?  (buildah without root needs one.) */
static void check_subuids(struct finding *finding)
{
    CLEANUP_FILE FILE *file = fopen("/etc/subuid", "re");
    const struct passwd *user = getpwuid(getuid());
    char line[256];

    if (geteuid() == 0) {
        find(finding, HEALTH_GOOD, "root needs no user ids of its own");
        return;
    }
    while (file && user && fgets(line, sizeof(line), file))
        if (strncmp(line, user->pw_name, strlen(user->pw_name)) == 0 &&
            line[strlen(user->pw_name)] == ':') {
            find(finding, HEALTH_GOOD, "%s has a range in /etc/subuid", user->pw_name);
            try_buildah(finding);
            return;
        }
    find(finding, HEALTH_LESS,
         "this user has no range in /etc/subuid: building a Dockerfile without root needs one");
    remedy(finding, "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME");
}

static void check_tools(struct finding *finding)
{
    static const char *const tools[] = {"skopeo", "buildah", "mkfs.erofs"};
    char missing[256] = "";

    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        if (!is_there(tools[i])) {
            size_t size = strlen(missing);

            snprintf(missing + size, sizeof(missing) - size, "%s%s", size ? ", " : "", tools[i]);
        }
    if (!*missing) {
        find(finding, HEALTH_GOOD, "skopeo, buildah and mkfs.erofs are there");
        return;
    }
    find(finding, HEALTH_LESS, "not installed: %s (romsim does not need them, its tests do)",
         missing);
    remedy(finding, "'make deps' in romsim's source folder");
}

/* What users of mounts in the background met, who saw no more than an error's number. */
struct mounts {
    size_t count, damages;
    char first[160], damage[320];
};

static void visit_mount(void *context, const struct romsim_state_entry *entry)
{
    const json_t *list = json_object_get(entry->summary, "damage");
    const char *message = json_string_value(json_array_get(list, 0));
    struct mounts *mounts = context;

    if (!entry->mount_point)
        return;
    if (mounts->count++ == 0)
        romsim_text_quote(entry->mount_point, strlen(entry->mount_point), mounts->first,
                          sizeof(mounts->first));
    if (message && !mounts->damages)
        snprintf(mounts->damage, sizeof(mounts->damage), "'%s' shows a damaged image: %s",
                 QUOTE(entry->mount_point), message);
    mounts->damages += json_array_size(list);
}

static void check_mounts(struct finding *finding)
{
    struct mounts mounts = {0};

    romsim_state_each(ROMSIM_STATE_MOUNT, visit_mount, &mounts);
    if (mounts.damages > 1)
        find(finding, HEALTH_LESS, "%s (and %zu more such)", mounts.damage, mounts.damages - 1);
    else if (mounts.damages)
        find(finding, HEALTH_LESS, "%s", mounts.damage);
    else if (mounts.count)
        find(finding, HEALTH_GOOD, "%zu, the first at '%s'", mounts.count, mounts.first);
    else
        find(finding, HEALTH_GOOD, "none");
    if (mounts.damages)
        remedy(finding, "'romsim rom check' says all that is wrong with an image");
}

/* Room for instances, of which the smallest that is usual is asked for. */
static void check_memory(struct finding *finding)
{
    struct romsim_layout usual = {.guest_memory_mb = USUAL_MB};
    struct romsim_capacity capacity;
    struct romsim_needs needs;
    CLEANUP_FREE char *reason = NULL;
    enum romsim_accel accel = romsim_accel_probe(true, &reason, NULL);
    char limit[256] = "";
    uint64_t fit;

    romsim_capacity_look(&capacity);
    if (capacity.memory_free == ROMSIM_CAPACITY_ANY) {
        find(finding, HEALTH_GOOD, "how much is free is not known: nothing will be refused");
        return;
    }
    if (*capacity.memory_limit)
        snprintf(limit, sizeof(limit), ", by the limit of the control group '%s'",
                 capacity.memory_limit);
    romsim_needs_of(&usual, accel, false, &needs);
    fit = romsim_needs_fit(&needs, capacity.memory_free, ROMSIM_CAPACITY_ANY);
    find(finding, fit ? HEALTH_GOOD : HEALTH_LESS,
         "%s free%s: room for %llu more instances of %d MB", SIZE_TEXT(capacity.memory_free), limit,
         (unsigned long long)fit, USUAL_MB);
    remedy(finding, "'romsim plan --resources FILE' says what an instance takes");
}

/* The images that all users have. */
static void check_images(struct finding *finding)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    struct romsim_error err = {0};

    if (romsim_stores_open(&stores, &err) < 0) {
        find(finding, HEALTH_LESS, "%s", err.message);
        return;
    }
    find(finding, HEALTH_GOOD, "no store but this user's own");
    for (size_t i = 0; i < stores.count; i++) {
        CLEANUP_STORE_NAMES struct romsim_store_names names = {0};

        if (romsim_store_list(stores.items[i], &names, &err) < 0) {
            find(finding, HEALTH_LESS, "%s", err.message);
            remedy(finding, "%s", err.hint);
            return;
        }
        if (!romsim_store_is_own(stores.items[i]))
            find(finding, HEALTH_GOOD, "%s also from '%s'",
                 COUNT_TEXT(names.count, "image", "images"),
                 QUOTE(romsim_store_path(stores.items[i])));
    }
}

struct check {
    const char *name;
    void (*run)(struct finding *finding);
};

static const struct check checks[] = {
    {"host", check_host},       {"qemu", check_qemu},       {"accelerator", check_accelerator},
    {"network", check_network}, {"guest", check_guest},     {"fuse", check_fuse},
    {"sandbox", check_sandbox}, {"folders", check_folders}, {"ports", check_ports},
    {"subuids", check_subuids}, {"tools", check_tools},     {"mounts", check_mounts},
    {"memory", check_memory},   {"images", check_images},
};

enum { CHECKS = sizeof(checks) / sizeof(checks[0]) };

/* ---- the report -------------------------------------------------------------------------------
 */

static void print_text(const struct finding *findings)
{
    for (size_t i = 0; i < CHECKS; i++) {
        printf("%-8s %-12s %s\n", health_names[findings[i].health], checks[i].name,
               findings[i].detail);
        if (*findings[i].remedy)
            printf("%-8s %-12s %s\n", "", "", findings[i].remedy);
    }
}

static int print_json(const struct finding *findings, bool works)
{
    json_t *list = json_array();

    for (size_t i = 0; i < CHECKS; i++) {
        json_t *entry = json_pack("{s:s, s:s, s:s}", "name", checks[i].name, "health",
                                  health_names[findings[i].health], "detail", findings[i].detail);

        if (entry && *findings[i].remedy)
            json_object_set_new(entry, "remedy", json_string(findings[i].remedy));
        json_array_append_new(list, entry);
    }
    return cli_print_json(json_pack("{s:b, s:o}", "works", works, "checks", list));
}

static int run_doctor(const struct cli_args *args)
{
    struct finding findings[CHECKS] = {0};
    bool works = true;
    int status = cli_arch(args);

    if (status != CLI_OK)
        return status;
    for (size_t i = 0; i < CHECKS; i++) {
        checks[i].run(&findings[i]);
        works &= findings[i].health != HEALTH_BAD;
    }
    if (cli_has(args, "json"))
        status = print_json(findings, works);
    else
        print_text(findings);
    return status != CLI_OK ? status : works ? CLI_OK : CLI_FAILED;
}

static const struct cli_option options[] = {
    {"arch", 0, "amd64|arm64", "for guests of it, in place of this machine's own"},
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_command_doctor = {
    .name = "doctor",
    .operands = "",
    .operands_min = 0,
    .operands_max = 0,
    .summary = "say what this machine has of what romsim needs, and what to do",
    .description =
        "Tries KVM with a small guest, which takes up to three seconds.  The exit status\n"
        "is 1 only if something is missing without which nothing can run.\n",
    .options = options,
    .run = run_doctor,
};
