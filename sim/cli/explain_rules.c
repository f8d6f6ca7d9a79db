/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain_rules.c: the pages of the codes that errors and warnings have.
 *
 * Each has an example that breaks its rule and no other, and one that breaks none:
 * tests/cli/codes.sh gives both to `romsim check`.  Where the cloud says nothing, a page says that
 * it is romsim's choice (docs/parity.md).
 */
#include "explain_words.h"

/* For examples of what `check` finds in images: a root with one program. */
#define BASE "#$ mkdir -p base/bin && cp \"$(command -v busybox)\" base/bin/busybox\n"

const struct explain_word explain_rules[ROMSIM_RULE_END] = {
    [ROMSIM_RULE_TEXT] =
        {.summary = "an instance file is text in UTF-8",
         .text = "The file is YAML or JSON in UTF-8, with or without a byte order mark.  A NUL\n"
                 "byte, or bytes in another encoding, are refused.  Binary data goes into a file\n"
                 "of an inline ROM as base64.\n",
         .fails = "image: my-org/app\n"
                  "#$ printf 'name: caf\\351\\n' >>FILE\n",
         .works = "image: my-org/app\n"
                  "name: cafe\n",
         .source = "the format of YAML 1.2 and JSON"},
    [ROMSIM_RULE_SYNTAX] =
        {.summary = "the text is neither YAML nor JSON",
         .text = "The place is where the reader could not go on, which may be behind the slip: a\n"
                 "quote or a bracket that is not closed, an indentation that fits to nothing, a\n"
                 "tab.\n",
         .fails = "image: [my-org/app\n",
         .works = "image: my-org/app\n",
         .source = "the format of YAML 1.2 and JSON"},
    [ROMSIM_RULE_DUPLICATE_MEMBER] =
        {.summary = "a member stands twice in one object",
         .text = "Which of the two would count is said by no document, so neither does.\n",
         .fails = "image: my-org/app\n"
                  "memory_mb: 128\n"
                  "memory_mb: 256\n",
         .works = "image: my-org/app\n"
                  "memory_mb: 256\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_TAG] =
        {.summary = "a YAML tag that is not known, or does not fit its value",
         .text = "Known are the tags of YAML's own schema for scalars, lists and objects (!!str,\n"
                 "!!int, ...). !!binary is not: a file has 'encoding: base64' for that.\n",
         .fails = "image: !secret my-org/app\n",
         .works = "image: !!str my-org/app\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_ALIAS] =
        {.summary = "a YAML alias that stands for nothing, or for what it is in",
         .text = "'*name' stands for the value that '&name' was put before, further up.\n",
         .fails = "image: my-org/app\n"
                  "env: {A: *unset}\n",
         .works = "image: my-org/app\n"
                  "env: {A: &set one, B: *set}\n",
         .source = "the format of YAML 1.2"},
    [ROMSIM_RULE_BOUND] =
        {.summary = "more than romsim takes of an input",
         .text = "romsim's own bounds on what a file may cost: how deep lists are nested, how\n"
                 "many values it has with its aliases expanded, how many instances and replicas.\n"
                 "--bound NAME=VALUE changes those that have a name (BOUNDS in romsim(1)); no\n"
                 "instance that is meant seriously meets them.\n",
         .fails = "image: my-org/app\n"
                  "env: "
                  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]"
                  "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
         .works = "image: my-org/app\n"
                  "env: {A: one}\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_MEMBER_NAME] =
        {.summary = "a member's name is a string",
         .text = "In YAML a list or an object can be the name of a member; in an instance it\n"
                 "cannot.\n",
         .fails = "image: my-org/app\n"
                  "env: {[a, b]: one}\n",
         .works = "image: my-org/app\n"
                  "env: {a: one}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_JSON_AS_YAML] =
        {.summary = "a text that begins as JSON does, and is YAML",
         .text = "romsim takes both, so the file is read; the API takes JSON only, and would\n"
                 "refuse the same text. 'romsim request' prints the JSON of it.\n",
         .fails = "{image: my-org/app}\n",
         .works = "{\"image\": \"my-org/app\"}\n",
         .source = EXPLAIN_OURS,
         .is_warning = true},
    [ROMSIM_RULE_ANSWER] =
        {.summary = "what a GET answers, where a request is expected",
         .text = "An answer has members that no request may have, and lacks others, such as the\n"
                 "files of inline ROMs.  --from-get takes it as far as it goes.\n",
         .fails = "{\"status\": \"success\", \"data\": {\"instances\": [{\"name\": \"app\", "
                  "\"image\": \"my-org/app\"}]}}\n",
         .works = "{\"name\": \"app\", \"image\": \"my-org/app\"}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_UNKNOWN_MEMBER] =
        {.summary = "a member that the cloud does not know",
         .text = "The cloud refuses a request with a member that it does not know, so that no\n"
                 "slip of the pen goes unseen.  romsim knows the same ones, and 'dir' of a ROM\n"
                 "besides.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", att: /rom}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", at: /rom}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_MISSING_MEMBER] =
        {.summary = "a member that has to be there is not",
         .text = "An instance has an image (or a template), a ROM one of image, files and dir, a\n"
                 "volume a place and a name, uuid or size, a template its name or uuid.\n",
         .fails = "name: app\n",
         .works = "name: app\n"
                  "image: my-org/app\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_KIND] =
        {.summary = "a value of another kind than the member has",
         .text = "Text, number, true or false, list, object: each member has its own, and nothing\n"
                 "is converted but a number or a boolean that stands where text is expected.\n",
         .fails = "image: my-org/app\n"
                  "args: sleep 5\n",
         .works = "image: my-org/app\n"
                  "args: [sleep, \"5\"]\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_NUMBER] = {.summary = "a number that is too small or too large for its member",
                            .text = "The message says from where to where it may be.\n",
                            .fails = "image: my-org/app\n"
                                     "vcpus: 0\n",
                            .works = "image: my-org/app\n"
                                     "vcpus: 1\n",
                            .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_WORD] =
        {.summary = "a word that the member does not have",
         .text = "Some members are one of a few words, in lower case; the message names the\n"
                 "nearest, or all.\n",
         .fails = "image: my-org/app\n"
                  "restart_policy: sometimes\n",
         .works = "image: my-org/app\n"
                  "restart_policy: on-failure\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_COUNT] = {.summary = "a list with too few or too many entries",
                           .text = "The message says how many there may be.\n",
                           .fails = "image: my-org/app\n"
                                    "network_interfaces: []\n",
                           .works = "image: my-org/app\n",
                           .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_NUL] =
        {.summary = "a text with a NUL character in it",
         .text = "Names, paths, arguments and variables reach the guest's kernel, where a NUL\n"
                 "ends them.  The data of a file may have them.\n",
         .fails = "image: my-org/app\n"
                  "args: [\"a\\0b\"]\n",
         .works = "image: my-org/app\n"
                  "args: [\"a b\"]\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_MOUNT_POINT] =
        {.summary = "where a ROM or a volume may be mounted",
         .text = "'at' is an absolute path without '.', '..' or empty parts, of at most 255 bytes\n"
                 "each, and not '/', /dev, /proc or /sys or beneath these, which are the guest's.\n"
                 "That of a volume has no ':'.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", at: etc/app}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", at: /etc/app}\n",
         .source = EXPLAIN_CLOUD "; which paths are refused is " EXPLAIN_OURS},
    [ROMSIM_RULE_NO_INSTANCE] =
        {.summary = "a file without an instance",
         .text = "A file has one instance, a list of them, or several YAML documents.\n",
         .fails = "# nothing yet\n",
         .works = "image: my-org/app\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_NOT_SIMULATED] =
        {.summary = "what the cloud takes, and romsim does nothing with",
         .text = "The member is checked and passed on by 'romsim request', but it changes nothing\n"
                 "here: GPUs, schedules, branches and others (docs/parity.md lists them).\n",
         .fails = "image: my-org/app\n"
                  "gpus: 1\n",
         .works = "image: my-org/app\n",
         .source = EXPLAIN_OURS,
         .is_warning = true},
    [ROMSIM_RULE_DEPRECATED] =
        {.summary = "a member that the cloud wants no longer",
         .text = "It is taken still; the message has what stands in its place.\n",
         .fails = "image: my-org/app\n"
                  "autostart: true\n"
                  "wait_timeout_ms: 5000\n",
         .works = "image: my-org/app\n"
                  "autostart: true\n"
                  "timeout_s: 5\n",
         .source = EXPLAIN_CLOUD,
         .is_warning = true},
    [ROMSIM_RULE_EXCLUSIVE] =
        {.summary = "two members that exclude each other",
         .text = "Such are image and files of a ROM, dir and files, the uuid of a volume or a\n"
                 "template and its name, image and branch_from; timeout_s wants autostart.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", files: [{path: a, data: b}]}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {files: [{path: a, data: b}]}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_NAME] =
        {.summary = "the name of an instance, a ROM, a volume or a template",
         .text = "1 to 63 of the characters A-Z a-z 0-9 . _ -, and not '.' or '..'.  That of a\n"
                 "ROM is part of its device's: /dev/ukp_rom_NAME.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: \"my rom\", image: \"my-org/rom:1\"}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: my-rom, image: \"my-org/rom:1\"}\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_HOSTNAME] =
        {.summary = "the instance's host name",
         .text = "1 to 63 of the characters A-Z a-z 0-9 . -, with neither '-' nor '.' in front.\n",
         .fails = "image: my-org/app\n"
                  "hostname: my_host\n",
         .works = "image: my-org/app\n"
                  "hostname: my-host\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_IMAGE] =
        {.summary = "an image without a name",
         .text = "An image is a name of the registry or the store, or a path; an empty text is\n"
                 "neither.\n",
         .fails = "image: \"\"\n",
         .works = "image: my-org/app\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_CLONE] =
        {.summary = "what a clone cannot choose",
         .text = "A template's VM was saved with its image, args, env, memory_mb and vcpus, which\n"
                 "no clone can change.  Its name, address, ROMs and volumes are its own.\n",
         .fails = "template: {name: worker}\n"
                  "args: [/other]\n",
         .works = "template: {name: worker}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_UUID] =
        {.summary = "a uuid that is none",
         .text = "Volumes and templates can be named by the uuid that they were given when they\n"
                 "were made: 8-4-4-4-12 hexadecimal digits.\n",
         .fails = "image: my-org/app\n"
                  "volumes:\n"
                  "  - {uuid: 1234, at: /data}\n",
         .works = "image: my-org/app\n"
                  "volumes:\n"
                  "  - {uuid: 6f1c0a3e-58e0-4f5e-9d2c-0b7a2f3e4d5c, at: /data}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_MEMORY] =
        {.summary = "how much memory an instance may have",
         .text = "From 16 to 8192 MB, as a sample account of the cloud has it; --limit memory-min\n"
                 "and memory-max change that.\n",
         .fails = "image: my-org/app\n"
                  "memory_mb: 8\n",
         .works = "image: my-org/app\n"
                  "memory_mb: 256\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_VARIABLE] = {.summary = "the name of an environment variable",
                              .text = "It is not empty, and has no '='.\n",
                              .fails = "image: my-org/app\n"
                                       "env: {\"A=B\": c}\n",
                              .works = "image: my-org/app\n"
                                       "env: {A: \"B=c\"}\n",
                              .source = EXPLAIN_OURS},
    [ROMSIM_RULE_PORT] = {.summary = "two services at one port",
                          .text = "A service group has each public port once.\n",
                          .fails =
                              "image: my-org/app\n"
                              "service_group:\n"
                              "  services:\n"
                              "    - {port: 443, destination_port: 80, handlers: [tls, http]}\n"
                              "    - {port: 443, destination_port: 81, handlers: [tls, http]}\n",
                          .works =
                              "image: my-org/app\n"
                              "service_group:\n"
                              "  services:\n"
                              "    - {port: 443, destination_port: 80, handlers: [tls, http]}\n"
                              "    - {port: 8443, destination_port: 81, handlers: [tls]}\n",
                          .source = EXPLAIN_OURS},
    [ROMSIM_RULE_HANDLERS] =
        {.summary = "handlers that do not fit their port",
         .text = "Port 80 has http, with redirect or without, and no tls; 443 has tls and http;\n"
                 "another port has tls and no http.  A service may have no handlers.\n",
         .fails = "image: my-org/app\n"
                  "service_group:\n"
                  "  services:\n"
                  "    - {port: 443, destination_port: 80, handlers: [http]}\n",
         .works = "image: my-org/app\n"
                  "service_group:\n"
                  "  services:\n"
                  "    - {port: 443, destination_port: 80, handlers: [tls, http]}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_FILE_PATH] =
        {.summary = "the path of a file in an inline ROM",
         .text = "A leading '/' does not count.  No part of it is empty, '.' or '..', or longer\n"
                 "than 255 bytes, and no file is the directory of another one.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {files: [{path: ../passwd, data: x}]}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {files: [{path: etc/passwd, data: x}]}\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_DUPLICATE] =
        {.summary = "a name, a place or a path that stands twice",
         .text = "ROMs of an instance have different names and places, as have its volumes; the\n"
                 "files of a ROM have different paths, and the instances of a file different\n"
                 "names.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", at: /rom}\n"
                  "  - {image: \"my-org/rom:2\", at: /rom}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\", at: /rom}\n"
                  "  - {image: \"my-org/rom:2\", at: /rom-2}\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_EMPTY_ROM] =
        {.summary = "an inline ROM without a file",
         .text = "There is nothing that the device could have.  Of an instance that came from GET\n"
                 "the files are not told: --rom name=NAME,dir=DIRECTORY brings them.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: config, files: []}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: config, files: [{path: a, data: \"\"}]}\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_TOO_MANY_FILES] =
        {.summary = "too many files in an inline ROM",
         .text = "16 files an inline ROM; --limit files changes it.  An image ROM may have any\n"
                 "number.\n",
         .fails = "#$ mkdir -p code && touch code/a{1..17}\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: code, dir: code, at: /code}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: code, image: \"my-org/code:1\", at: /code}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_ROM_BYTES] =
        {.summary = "too many bytes in an inline ROM",
         .text = "1 MB (1,048,576 bytes) an inline ROM, all of its files together, as they are\n"
                 "when decoded; --limit rom-bytes changes it.  An image ROM may be larger.\n",
         .fails = "#$ mkdir -p data && truncate -s 1048577 data/words\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, dir: data, at: /data}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: \"my-org/data:1\", at: /data}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_TOO_MANY_ROMS] =
        {.summary = "too many ROMs",
         .text = "8 ROMs an instance, inline and image together; --limit roms changes it.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/rom:1\"}\n"
                  "  - {image: \"my-org/rom:2\"}\n"
                  "  - {image: \"my-org/rom:3\"}\n"
                  "  - {image: \"my-org/rom:4\"}\n"
                  "  - {image: \"my-org/rom:5\"}\n"
                  "  - {image: \"my-org/rom:6\"}\n"
                  "  - {image: \"my-org/rom:7\"}\n"
                  "  - {image: \"my-org/rom:8\"}\n"
                  "  - {image: \"my-org/rom:9\"}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {image: \"my-org/all-nine:1\"}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_BODY_BYTES] =
        {.summary = "too large a request",
         .text = "8 MB a request's body, in which inline data is base64 (a third larger than it\n"
                 "was); --limit body-bytes changes it.  Large content goes into an image ROM.\n",
         .fails = "#$ mkdir -p data && truncate -s 1048576 data/words\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: part-1, dir: data}\n"
                  "  - {name: part-2, dir: data}\n"
                  "  - {name: part-3, dir: data}\n"
                  "  - {name: part-4, dir: data}\n"
                  "  - {name: part-5, dir: data}\n"
                  "  - {name: part-6, dir: data}\n"
                  "  - {name: part-7, dir: data}\n"
                  "  - {name: part-8, dir: data}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: parts, image: \"my-org/parts:1\"}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_TOO_MANY_VOLUMES] = {.summary = "too many volumes",
                                      .text =
                                          "4 volumes an instance; --limit volumes changes it.\n",
                                      .fails = "image: my-org/app\n"
                                               "volumes:\n"
                                               "  - {name: data-1, at: /data/1}\n"
                                               "  - {name: data-2, at: /data/2}\n"
                                               "  - {name: data-3, at: /data/3}\n"
                                               "  - {name: data-4, at: /data/4}\n"
                                               "  - {name: data-5, at: /data/5}\n",
                                      .works = "image: my-org/app\n"
                                               "volumes:\n"
                                               "  - {name: data, at: /data}\n",
                                      .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_VOLUME_SIZE] = {.summary = "the size of a volume that is made with its instance",
                                 .text = "From 8 MB to 1 TB (size_mb: 1048576).\n",
                                 .fails = "image: my-org/app\n"
                                          "volumes:\n"
                                          "  - {at: /data, size_mb: 1}\n",
                                 .works = "image: my-org/app\n"
                                          "volumes:\n"
                                          "  - {at: /data, size_mb: 64}\n",
                                 .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_TOO_MANY_PLUGINS] =
        {.summary = "too many plugins",
         .text =
             "8 plugins an instance, counted apart from its ROMs; --limit plugins changes it.\n",
         .fails = "image: my-org/app\n"
                  "plugins: [a, b, c, d, e, f, g, h, i]\n",
         .works = "image: my-org/app\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_BASE64] =
        {.summary = "data that is no base64",
         .text = "With 'encoding: base64' the data is of A-Z a-z 0-9 + /, with '=' at its end up\n"
                 "to a multiple of four characters.  Without 'encoding' it is text.\n",
         .fails = "image: my-org/app\n"
                  "roms:\n"
                  "  - {files: [{path: a, encoding: base64, data: \"a-b_\"}]}\n",
         .works = "image: my-org/app\n"
                  "roms:\n"
                  "  - {files: [{path: a, encoding: base64, data: \"YS1i\"}]}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_DIR] =
        {.summary = "a directory that cannot be an inline ROM",
         .text = "'dir' is there, can be read, has a file at least, and regular files and\n"
                 "directories only: what becomes of links and devices in a request is nothing.\n"
                 "Names are UTF-8.\n",
         .fails = "#$ mkdir -p code && ln -sf /etc/hostname code/link\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: code, dir: code}\n",
         .works = "#$ mkdir -p text && touch text/file\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: code, dir: text}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_ROM_SIZE] =
        {.summary = "a ROM's size",
         .text = "A ROM image has a multiple of 4096 bytes; the cloud rejects others.  The packer\n"
                 "pads cpio archives and plain files, 'romsim rom pack' too.\n",
         .fails = "#$ printf hello >rom.bin\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./rom.bin}\n",
         .works = "#$ truncate -s 4096 rom.bin\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./rom.bin}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_DAMAGED] =
        {.summary = "a ROM image that is damaged",
         .text = "Something in the EROFS image contradicts itself, or its checksum: the guest\n"
                 "gets errors when it mounts or reads it.  'romsim rom check FILE' lists all of\n"
                 "it.\n",
         .fails = "#$ mkdir -p tree && echo hello >tree/file\n"
                  "#$ romsim rom pack tree -o rom.erofs\n"
                  "#$ printf X | dd of=rom.erofs bs=1 seek=1100 conv=notrunc status=none\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./rom.erofs}\n",
         .works = "#$ mkdir -p tree && echo hello >tree/file\n"
                  "#$ romsim rom pack tree -o rom.erofs\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./rom.erofs}\n",
         .source = "the format of EROFS, and what Linux makes of it"},
    [ROMSIM_RULE_UNLIKE_CLOUD] =
        {.summary = "an image that the cloud's packer would not make",
         .text = "Linux reads it, so it works here.  The cloud's packer stores files plain, in\n"
                 "blocks of 4096 bytes, for which there are reasons: data that is mapped in\n"
                 "place, old kernels.\n",
         .fails = "#$ mkdir -p tree && echo hello >tree/file\n"
                  "#$ romsim rom pack --inline tree -o inline.erofs\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./inline.erofs}\n",
         .works = "#$ mkdir -p tree && echo hello >tree/file\n"
                  "#$ romsim rom pack tree -o plain.erofs\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./plain.erofs}\n",
         .source = EXPLAIN_CLOUD,
         .is_warning = true},
    [ROMSIM_RULE_NO_EROFS] =
        {.summary = "a ROM with 'at' that cannot be mounted",
         .text = "What is mounted by 'at' is an EROFS image with blocks of 4096 bytes.  A cpio\n"
                 "archive or raw data has a device without 'at', from which the app reads it.\n",
         .fails = "#$ head -c 4096 /dev/zero >raw.bin\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./raw.bin, at: /data}\n",
         .works = "#$ head -c 4096 /dev/zero >raw.bin\n"
                  "image: my-org/app\n"
                  "roms:\n"
                  "  - {name: data, image: ./raw.bin}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_NO_IMAGE] =
        {.summary = "an image or a template that is not to be had",
         .text = "A path that leads to nothing, an archive that cannot be read, or, with --local\n"
                 "and where the instance is to start, a name that is not in the local store:\n"
                 "'romsim image import' or 'build' bring it there.  A name may be in the cloud's\n"
                 "registry, so 'check' passes it over.\n",
         .fails = "image: ./nowhere\n",
         .works = "image: my-org/app\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_NO_COMMAND] =
        {.summary = "an instance without a command",
         .text = "The image has neither Entrypoint nor Cmd, and the instance no args.\n",
         .fails = BASE "image: ./base\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_MOUNT_TARGET] =
        {.summary = "a mount point that cannot be made",
         .text = "On the way to an 'at' there is a file, a link to nowhere or into /dev, /proc\n"
                 "and /sys, or a file that the platform writes (/etc/hostname).  A volume's\n"
                 "directory is empty or new.\n",
         .fails = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {image: \"my-org/rom:1\", at: /rom}\n"
                       "  - {files: [{path: a, data: b}], at: /bin/busybox/rom}\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {files: [{path: a, data: b}], at: /rom}\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_HIDDEN] =
        {.summary = "a ROM that hides another one by way of a link",
         .text = "Two places are one, since a symbolic link in the root leads from the one to the\n"
                 "other.\n",
         .fails = BASE "#$ ln -sfn /a base/b\n"
                       "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {files: [{path: x, data: y}], at: /a}\n"
                       "  - {files: [{path: x, data: z}], at: /b}\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {files: [{path: x, data: y}], at: /a}\n"
                       "  - {files: [{path: x, data: z}], at: /c}\n",
         .source = EXPLAIN_OURS,
         .is_warning = true},
    [ROMSIM_RULE_WORKING_DIR] =
        {.summary = "a working directory that cannot be",
         .text = "The image's WorkingDir is made if it is missing; where a file is in its way, or\n"
                 "a ROM that does not have it, the app cannot be started in it.\n",
         .fails = BASE "#$ tar -C base -cf layer.tar .\n"
                       "#$ printf "
                       "'{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"WorkingDir\":"
                       "\"%s\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}' "
                       "/bin/busybox $(sha256sum <layer.tar | cut -c1-64) >config.json\n"
                       "#$ echo "
                       "'[{\"Config\":\"config.json\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"layer."
                       "tar\"]}]' >manifest.json\n"
                       "#$ tar -cf app.tar manifest.json config.json layer.tar\n"
                       "image: ./app.tar\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n",
         .works = BASE "#$ tar -C base -cf layer.tar .\n"
                       "#$ printf "
                       "'{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"WorkingDir\":"
                       "\"%s\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}' "
                       "/work $(sha256sum <layer.tar | cut -c1-64) >config.json\n"
                       "#$ echo "
                       "'[{\"Config\":\"config.json\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"layer."
                       "tar\"]}]' >manifest.json\n"
                       "#$ tar -cf app.tar manifest.json config.json layer.tar\n"
                       "image: ./app.tar\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_COMMAND] =
        {.summary = "a command that is not there",
         .text = "It is looked for as the guest does: by its path, or in each directory of PATH,\n"
                 "in the root and in the ROMs at their places.  Nothing that only the app makes\n"
                 "is known.\n",
         .fails = BASE "image: ./base\n"
                       "args: [/bin/app]\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n",
         .source = EXPLAIN_OURS},
    [ROMSIM_RULE_NOT_EXECUTABLE] =
        {.summary = "a command that may not be executed",
         .text = "Its mode has no x.  All files of an inline ROM have the mode 0644: run a script\n"
                 "by its interpreter, or bring a program in an image ROM, which keeps modes.\n",
         .fails = BASE "image: ./base\n"
                       "args: [/app/start.sh]\n"
                       "roms:\n"
                       "  - {files: [{path: start.sh, data: \"#!/bin/busybox sh\"}], at: /app}\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sh, /app/start.sh]\n"
                       "roms:\n"
                       "  - {files: [{path: start.sh, data: \"#!/bin/busybox sh\"}], at: /app}\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_INTERPRETER] =
        {.summary = "a command whose interpreter is not there",
         .text = "A script's first line, or a program's header, names a program that runs it, and\n"
                 "which is neither in the root nor in a ROM: the wrong path, the dynamic linker\n"
                 "of another distribution, or lines that end in CR LF.\n",
         .fails =
             BASE "#$ mkdir -p app && printf '#!/bin/bash\\n' >app/start && chmod +x app/start\n"
                  "image: ./base\n"
                  "args: [/app/start]\n"
                  "roms:\n"
                  "  - {image: ./app, at: /app}\n",
         .works = BASE
         "#$ mkdir -p new && printf '#!/bin/busybox sh\\n' >new/start && chmod +x new/start\n"
         "image: ./base\n"
         "args: [/app/start]\n"
         "roms:\n"
         "  - {image: ./new, at: /app}\n",
         .source = "what Linux does"},
    [ROMSIM_RULE_PROCESSOR] =
        {.summary = "a program for another processor",
         .text = "The guest's processor is this machine's, or what --arch says.\n",
         .fails = BASE "#$ { printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0\\267\\0'; "
                       "head -c 44 /dev/zero; } >base/app; chmod +x base/app\n"
                       "image: ./base\n"
                       "args: [/app]\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n",
         .source = EXPLAIN_CLOUD},
    [ROMSIM_RULE_ARGUMENT_PATH] =
        {.summary = "a path in the arguments that leads to nothing",
         .text = "An argument names a path that is not there, while a ROM without 'at' has it, or\n"
                 "there is one of that name in another case.\n",
         .fails = BASE "image: ./base\n"
                       "args: [/bin/busybox, cat, /app/Main]\n"
                       "roms:\n"
                       "  - {files: [{path: main, data: x}], at: /app}\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, cat, /app/main]\n"
                       "roms:\n"
                       "  - {files: [{path: main, data: x}], at: /app}\n",
         .source = EXPLAIN_OURS,
         .is_warning = true},
    [ROMSIM_RULE_OTHER_CASE] =
        {.summary = "a mount point beside a directory of the same name in another case",
         .text = "It is made, as every mount point is; but most likely the one that is there was\n"
                 "meant.\n",
         .fails = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {files: [{path: a, data: b}], at: /Bin/more}\n",
         .works = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {files: [{path: a, data: b}], at: /bin/more}\n",
         .source = EXPLAIN_OURS,
         .is_warning = true},
    [ROMSIM_RULE_ORDER] =
        {.summary = "a ROM that hides files of another one, which stands behind it",
         .text = "A ROM within another one is mounted after it, whatever their order in the\n"
                 "request.  Who puts the inner one in front may expect the outer one's files to\n"
                 "lie over it.\n",
         .fails = BASE "image: ./base\n"
                       "args: [/bin/busybox, sleep, \"1\"]\n"
                       "roms:\n"
                       "  - {files: [{path: a, data: x}], at: /app/conf}\n"
                       "  - {files: [{path: conf/b, data: y}], at: /app}\n",
         .works =
             BASE "image: ./base\n"
                  "args: [/bin/busybox, sleep, \"1\"]\n"
                  "roms:\n"
                  "  - {files: [{path: conf/a, data: x}, {path: conf/b, data: y}], at: /app}\n",
         .source = EXPLAIN_OURS,
         .is_warning = true},
};
