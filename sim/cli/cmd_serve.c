/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_serve.c: `romsim serve`: the cloud's API on this machine. */
#include "sim/cli/cli.h"
#include "sim/cli/make.h"
#include "sim/cli/signals.h"
#include "sim/cli/token.h"

#include <romsim/api.h>
#include <romsim/group.h>
#include <romsim/text.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define LISTEN_DEFAULT "127.0.0.1:8080"

enum { NAME_MOST = 63, TOKEN_MOST = 1024, END_MOST_S = 15 };

static const struct cli_option options[] = {
    {"listen", 0, "ADDRESS:PORT", "where: 127.0.0.1:8080; port 0 is a free one"},
    {"token", 0, "TOKEN", "in place of the one that is kept"},
    {"no-auth", 0, NULL, "ask for no token"},
    {"org", 0, "NAME", "the user in the token and in images"},
    {"metro", 0, "NAME", "the metro in domains"},
    {"allow-paths", 0, NULL, "requests may name paths of this machine"},
    {"print-env", 0, NULL, "print what points clients here"},
    {"openapi", 0, NULL, "print the OpenAPI document"},
    CLI_OPTION_LIMIT,
    {"accel", 0, "auto|kvm|tcg", NULL},
    {"arch", 0, "amd64|arm64", NULL},
    {"cpu", 0, "v1|v2|v3|v4|MODEL", NULL},
    {"kernel", 0, "FILE", NULL},
    {"image-kernel", 0, NULL, NULL},
    {"allow-host", 0, NULL, NULL},
    {"ports-at", 0, "ADDRESS", NULL},
    {"isolated", 0, NULL, NULL},
    {"no-fuse", 0, NULL, NULL},
    {"boot-timeout", 0, "SECONDS", NULL},
    CLI_OPTION_END,
};

/* ---- what was asked for ------------------------------------------------------------------------
 */

/* A name that is part of a domain, a path and a token. */
static int check_name(const struct cli_args *args, const char *option, const char *name)
{
    size_t size = strlen(name);

    if (size > 0 && size <= NAME_MOST &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == size && name[0] != '-' &&
        name[size - 1] != '-')
        return 0;
    cli_usage(args, "--%s is '%s', but has to be 1 to %d of a-z, 0-9 and -", option, QUOTE(name),
              NAME_MOST);
    return -1;
}

static int check_token(const struct cli_args *args, const char *token)
{
    size_t size = strlen(token);

    if (size > 0 && size <= TOKEN_MOST &&
        strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=") ==
            size)
        return 0;
    cli_usage(args, "--token has to be 1 to %d of letters, digits and -._~+/=", TOKEN_MOST);
    return -1;
}

/* CLI_OK, or after a report another status. */
static int read_options(const struct cli_args *args, struct romsim_api_options *ret)
{
    *ret = (struct romsim_api_options){
        .listen = cli_value(args, "listen") ?: LISTEN_DEFAULT,
        .organization = cli_value(args, "org") ?: TOKEN_ORGANIZATION,
        .metro = cli_value(args, "metro") ?: ROMSIM_METRO_DEFAULT,
        .allow_paths = cli_has(args, "allow-paths"),
    };
    if (check_name(args, "org", ret->organization) < 0 ||
        check_name(args, "metro", ret->metro) < 0 || make_vm_options(args, &ret->vm) < 0)
        return CLI_USAGE;
    ret->vm.fate = ROMSIM_VM_CREATE;
    ret->token = cli_value(args, "token");
    if (ret->token && cli_has(args, "no-auth"))
        return cli_usage(args, "--token and --no-auth exclude each other");
    if (ret->token && check_token(args, ret->token) < 0)
        return CLI_USAGE;
    return CLI_OK;
}

/* The token that is asked for, malloc'ed, or NULL for none.  CLI_OK, or CLI_FAILED after a report.
 */
static int choose_token(const struct cli_args *args, struct romsim_api_options *chosen, char **ret)
{
    struct romsim_error err = {0};

    *ret = NULL;
    if (chosen->token || cli_has(args, "no-auth"))
        return CLI_OK;
    *ret = token_of(chosen->organization, &err);
    chosen->token = *ret;
    return *ret ? CLI_OK : cli_report(&err);
}

/* ---- what clients have to know -----------------------------------------------------------------
 */

/* Where a client reaches what listens at an address: one that stands for all is this machine. */
static void client_address(const char *listen, char *ret, size_t ret_size)
{
    const char *port = strrchr(listen, ':');

    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        snprintf(ret, ret_size, "127.0.0.1%s", port);
    else if (strncmp(listen, "[::]:", 5) == 0)
        snprintf(ret, ret_size, "[::1]%s", port);
    else
        snprintf(ret, ret_size, "%s", listen);
}

/* In words of a shell: all of them are of letters that it leaves alone. */
static int print_env(const struct romsim_api_options *chosen)
{
    const char *token = chosen->token ? chosen->token : "";
    char address[256];

    client_address(chosen->listen, address, sizeof(address));
    printf("# for: eval \"$(romsim serve --print-env)\"\n"
           "# the unikraft CLI, the Python, JavaScript and Go SDKs\n"
           "export UKC_TOKEN='%s'\n"
           "export UKC_METRO='http://%s'\n"
           "export UKC_ALLOW_INSECURE=true\n"
           "export UNIKRAFT_PROFILE_ENV=true\n"
           "# kraft, which wants the version in it\n"
           "kraft() { UKC_METRO='http://%s/v1' command kraft \"$@\"; }\n"
           "# what the vendor's tools report to the vendor\n"
           "export UNIKRAFT_TELEMETRY=false\n"
           "export DO_NOT_TRACK=1\n",
           token, address, address);
    return CLI_OK;
}

static int print_description(void)
{
    struct romsim_error err = {0};
    CLEANUP_FREE char *text = romsim_api_description(&err);

    if (!text)
        return cli_report(&err);
    puts(text);
    return CLI_OK;
}

/* ---- serving -----------------------------------------------------------------------------------
 */

/* It may be that something does not end; nothing would be left of it. */
static void on_patience_end(int number)
{
    (void)number;
    _exit(CLI_FAILED);
}

/* For the children too a handler is better than to ignore it: what they start has the default. */
static void on_broken_pipe(int number)
{
    (void)number;
}

static int serve(const struct romsim_api_options *chosen)
{
    struct romsim_error err = {0};
    struct romsim_api *api = romsim_api_new(chosen, &err);
    struct pollfd wait = {.fd = signals_count(), .events = POLLIN};

    if (!api)
        return err.errnum == EINVAL || err.errnum == EPERM ? (cli_report(&err), CLI_USAGE)
                                                           : cli_report(&err);
    printf("listening at %s\n", romsim_api_url(api));
    printf("the page is at %s/%s%s\n", romsim_api_url(api), chosen->token ? "#token=" : "",
           chosen->token ? chosen->token : "");
    fflush(stdout);
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        continue;
    signal(SIGALRM, on_patience_end);
    alarm(END_MOST_S);
    romsim_api_free(api);
    return CLI_OK;
}

static int run_serve(const struct cli_args *args)
{
    struct romsim_api_options chosen;
    CLEANUP_FREE char *token = NULL;
    int status;

    if (cli_has(args, "openapi"))
        return print_description();
    status = read_options(args, &chosen);
    if (status == CLI_OK)
        status = choose_token(args, &chosen, &token);
    if (status != CLI_OK)
        return status;
    if (cli_has(args, "print-env"))
        return print_env(&chosen);
    signals_catch();
    signal(SIGPIPE, on_broken_pipe);
    status = make_choose_processor(args, &chosen.vm, &chosen.vm.processor);
    return status == CLI_OK ? serve(&chosen) : status;
}

const struct cli_command cli_command_serve = {
    .name = "serve",
    .operands = "",
    .operands_min = 0,
    .operands_max = 0,
    .summary = "the cloud's API on this machine, and a page to look at",
    .description = "Its instances are those of 'romsim ps', and stay when it ends (control-C).\n"
                   "To point the cloud's clients here: eval \"$(romsim serve --print-env)\"\n",
    .options = options,
    .run = run_serve,
};
