/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * habits.c: other tools' words, and ours for the same.
 *
 * A line is a hint for a mistake: a word that a command of romsim understands is none.
 */
#include "habits.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char no_pull[] = "nothing is pulled: 'skopeo copy docker://NAME oci:DIR:TAG', and "
                              "'romsim image import oci:DIR:TAG'";

/* Of several that fit the one with the most words counts. */
static const struct {
    const char *words, *hint;
} commands[] = {
    /* kraft cloud, unikraft */
    {"cloud", "leave 'cloud' out: 'romsim --help' lists the commands"},
    {"deploy", "'romsim run --detach FILE'; 'romsim image build' builds from a Kraftfile"},
    {"instance", "leave 'instance' out: 'romsim ps', 'romsim create', 'romsim get NAME'"},
    {"instance create", "'romsim create FILE'"},
    {"instance edit", "'romsim edit NAME --set PROP=VALUE'"},
    {"instance get", "'romsim get NAME'"},
    {"instance list", "'romsim ps -a'"},
    {"instance ls", "'romsim ps -a'"},
    {"instance logs", "'romsim logs NAME'"},
    {"instance ps", "'romsim ps'"},
    {"instance remove", "'romsim rm NAME'"},
    {"instance restart", "'romsim restart NAME'"},
    {"instance rm", "'romsim rm NAME'"},
    {"instance start", "'romsim start NAME'"},
    {"instance stop", "'romsim stop NAME'"},
    {"instance wait", "'romsim wait NAME'"},
    {"instances", "'romsim ps -a'"},
    {"pkg", "'romsim image build' builds from a Kraftfile, 'romsim rom pack' packs a ROM"},
    {"roms", "'romsim rom --help' lists what looks into ROMs; 'romsim plan FILE' lists a file's"},
    {"service", "services are ports of instances: 'romsim ps', -p [HOST:]GUEST"},
    {"tunnel", "a port is forwarded with -p [HOST:]GUEST"},
    {"validate", "'romsim check FILE'"},
    /* docker */
    {"apply", "'romsim run --detach FILE'"},
    {"commit", "an instance's changes end with it; 'romsim image build' makes images"},
    {"compose", "leave 'compose' out: 'romsim run --detach FILE' starts all of its instances"},
    {"compose down", "'romsim rm --all'"},
    {"compose up", "'romsim run FILE', with --detach in the background"},
    {"container", "'romsim --help' lists the commands for instances"},
    {"container ls", "'romsim ps -a'"},
    {"cp", "'romsim rom extract' and 'romsim mount' get files out of what an instance has"},
    {"delete", "'romsim rm NAME'"},
    {"describe", "'romsim get NAME'"},
    {"diff", "'romsim rom diff' compares images"},
    {"down", "'romsim rm --all'"},
    {"exec", "a guest runs its one app; 'romsim attach NAME' shows its console"},
    {"export", "'romsim build FILE' writes the ROMs, 'romsim rom extract' unpacks one"},
    {"images", "'romsim image ls'"},
    {"import", "'romsim image import'"},
    {"info", "'romsim doctor'"},
    {"inspect", "'romsim get NAME', for an image 'romsim image inspect'"},
    {"kill", "'romsim stop --force NAME'"},
    {"list", "'romsim ps -a'"},
    {"load", "'romsim image import docker-archive:FILE'"},
    {"log", "'romsim logs NAME'"},
    {"ls", "'romsim ps -a' lists instances, 'romsim image ls' images, 'romsim rom ls' files"},
    {"pack", "'romsim rom pack DIRECTORY'"},
    {"pause", "instances are stopped: 'romsim stop NAME'"},
    {"port", "'romsim ps' shows the ports"},
    {"prune", "'romsim image gc', 'romsim rm --all'"},
    {"pull", no_pull},
    {"push", "'romsim request FILE' prints what the cloud takes"},
    {"remove", "'romsim rm NAME'"},
    {"rename", "a name is for life: 'romsim rm' it and 'romsim create --name NAME'"},
    {"rmi", "'romsim image rm NAME'"},
    {"save", "'romsim image build --output' writes an image"},
    {"show", "'romsim get NAME'"},
    {"stats", "'romsim get NAME'"},
    {"status", "'romsim ps'"},
    {"tag", "'romsim image tag'"},
    {"top", "'romsim ps'"},
    {"unmount", "'romsim umount DIRECTORY'"},
    {"up", "'romsim run FILE', with --detach in the background"},
    {"update", "'romsim edit NAME --set PROP=VALUE'"},
    {"version", "'romsim --version'"},
    /* beneath a command of ours */
    {"image list", "'romsim image ls'"},
    {"image pull", no_pull},
    {"image load", "'romsim image import docker-archive:FILE'"},
    {"image prune", "'romsim image gc'"},
    {"image remove", "'romsim image rm NAME'"},
    {"rom list", "'romsim rom ls'"},
    {"rom create", "'romsim rom pack DIRECTORY'"},
    {"rom build", "'romsim rom pack DIRECTORY'"},
    {"rom unpack", "'romsim rom extract'"},
};

static const char as_root[] = "the app runs as root, as in the cloud";
static const char no_directory[] = "the app starts in its image's WorkingDir, as in the cloud";
static const char rom_instead[] =
    "--rom dir=DIR,at=PATH for files to read, --volume NAME:PATH for a volume";
static const char one_network[] =
    "instances reach each other by NAME.internal; --isolated ones do not";

/* Those without a command are of the ones that make instances. */
static const struct {
    const char *command, *option, *hint;
} options[] = {
    {NULL, "--command", "--args TEXT"},
    {NULL, "--cmd", "--args TEXT"},
    {NULL, "--cpus", "--vcpus N"},
    {NULL, "--entrypoint", "--args TEXT is put behind the image's Entrypoint"},
    {NULL, "--environment", "--env NAME=VALUE"},
    {NULL, "--expose", "-p [HOST:]GUEST"},
    {NULL, "--file", "the file is an operand: 'romsim run FILE'"},
    {NULL, "-f", "the file is an operand: 'romsim run FILE'"},
    {NULL, "--hostname", "'hostname' in the file"},
    {NULL, "--init", "the guest has an init that reaps; the app is its child"},
    {NULL, "--interactive", "--stdin"},
    {NULL, "--label", "'tags' in the file"},
    {NULL, "-l", "'tags' in the file"},
    {NULL, "--mem", "--memory SIZE"},
    {NULL, "--memory-mb", "--memory SIZE"},
    {NULL, "--mount", rom_instead},
    {NULL, "--net", one_network},
    {NULL, "--network", one_network},
    {NULL, "--port", "-p [HOST:]GUEST"},
    {NULL, "--ports", "-p [HOST:]GUEST"},
    {NULL, "--privileged", as_root},
    {NULL, "--publish-all", "each service of the file has a port; --publish HOST:GUEST adds one"},
    {NULL, "-P", "each service of the file has a port; --publish HOST:GUEST adds one"},
    {NULL, "--pull", "nothing is pulled: 'romsim image import' brings an image into the store"},
    {NULL, "--read-only", "the root is writable, in memory, as in the cloud; ROMs are read-only"},
    {NULL, "--replicas", "'replicas: N' in the file"},
    {NULL, "--restart-policy", "--restart POLICY"},
    {NULL, "--rm", "'run' in the foreground leaves nothing behind"},
    {NULL, "--rootfs", "--image REF: a directory or an archive will do"},
    {NULL, "--scale0", "--scale-to-zero on|off|idle"},
    {NULL, "--scale-to-zero-policy", "--scale-to-zero on|off|idle"},
    {NULL, "--start", "'romsim run --detach' creates and starts"},
    {NULL, "-S", "'romsim run --detach' creates and starts"},
    {NULL, "--user", as_root},
    {NULL, "-u", as_root},
    {NULL, "--workdir", no_directory},
    {"logs", "--lines", "--tail LINES"},
    {"rm", "-f", "'rm' ends what runs by itself"},
    {"rm", "--force", "'rm' ends what runs by itself"},
    {"ps", "--format", "--json"},
    {"ps", "-o", "--json"},
    {"get", "--format", "-o json"},
    {"stop", "--time", "--timeout TIME"},
    {"stop", "-s", "the app gets SIGTERM"},
    {"stop", "--signal", "the app gets SIGTERM"},
    {"attach", "--sig-proxy", "a signal ends 'attach' alone"},
    {"attach", "--interactive", "--stdin"},
    {"attach", "--no-stdin", "without --stdin nothing is passed on"},
    {"attach", "-t", "an instance has a terminal, or none, from its creation on"},
    {"attach", "--tty", "an instance has a terminal, or none, from its creation on"},
};

static const char *find_command(const char *words)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].words, words) == 0)
            return commands[i].hint;
    return NULL;
}

const char *habits_command(const char *const *words, size_t count)
{
    const char *hint = NULL;
    char pair[64];

    if (count > 1 && strcmp(words[0], "cloud") == 0) { /* kraft cloud instance create */
        words++;
        count--;
    }
    if (count > 1) {
        snprintf(pair, sizeof(pair), "%s %s", words[0], words[1]);
        hint = find_command(pair);
    }
    return hint || count == 0 ? hint : find_command(words[0]);
}

const char *habits_option(const char *command, const char *option)
{
    bool makes = strcmp(command, "run") == 0 || strcmp(command, "create") == 0;

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].option, option) == 0 &&
            (options[i].command ? strcmp(options[i].command, command) == 0 : makes))
            return options[i].hint;
    return NULL;
}
