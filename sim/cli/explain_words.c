/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain_words.c: what the words of an instance mean.
 *
 * Each page has an example that is refused and one that is taken: tests/cli/explain.sh gives both
 * to `romsim check`.  Where the cloud says nothing, a page says that it is romsim's choice
 * (docs/parity.md).
 */
#include "explain_words.h"

const struct explain_word explain_words[] = {
    {.name = "at",
     .summary = "where a ROM is mounted",
     .others = {"mount", "mount-point"},
     .text = "With 'at' a ROM is mounted there, read-only, before the app starts.  It has to be\n"
             "an EROFS image (an inline ROM is one); directories on the way are made, and what\n"
             "the image had there is hidden.  Without 'at' the app finds a device alone, and\n"
             "mounts or reads it by itself.\n",
     .fails = "image: my-org/app\n"
              "roms:\n"
              "  - name: config\n"
              "    image: my-org/config:v1\n"
              "    at: etc/app          # not absolute\n",
     .works = "image: my-org/app\n"
              "roms:\n"
              "  - name: config\n"
              "    image: my-org/config:v1\n"
              "    at: /etc/app\n",
     .source = EXPLAIN_CLOUD "; which paths are refused is " EXPLAIN_OURS},
    {.name = "inline",
     .summary = "a ROM whose files stand in the request",
     .others = {"files", "encoding"},
     .text = "An inline ROM has its files in 'files': a path, an encoding (text or base64) and\n"
             "the data of each.  They belong to root with the mode 0644, so a program among them\n"
             "is run by its interpreter.  It exists as long as an instance has it: no other\n"
             "instance can name it, and no answer of the API has its files again.\n",
     .fails = "image: my-org/app\n"
              "roms:\n"
              "  - name: config\n"
              "    image: my-org/config:v1   # files and image exclude each other\n"
              "    files:\n"
              "      - {path: app.conf, data: \"debug = true\"}\n",
     .works = "image: my-org/app\n"
              "roms:\n"
              "  - name: config\n"
              "    at: /etc/app\n"
              "    files:\n"
              "      - {path: app.conf, data: \"debug = true\"}\n",
     .source = EXPLAIN_CLOUD},
    {.name = "dir",
     .summary = "an inline ROM from a directory, in romsim's files",
     .others = {"directory"},
     .text =
         "'dir' stands for the 'files' of an inline ROM: romsim reads the directory, beside\n"
         "the instance file, when it reads that, as the cloud's CLI does with --rom dir=.  The\n"
         "API itself does not know it: 'romsim request' prints the body with the files.\n"
         "Regular files only; modes, owners, times and empty directories are lost.\n",
     .fails = "image: my-org/app\n"
              "roms:\n"
              "  - {name: code, dir: no/such/directory, at: /code}\n",
     .works = "image: my-org/app\n"
              "roms:\n"
              "  - {name: code, image: my-org/code:v1, at: /code}   # keeps modes, has no limits\n",
     .source = EXPLAIN_CLOUD},
    {.name = "ukp_rom",
     .summary = "the devices of ROMs in the guest, and their names",
     .others = {"device", "name", "names"},
     .text = "A ROM is the block device /dev/ukp_rom_NAME, and also /dev/ukp_romN: the root is\n"
             "ukp_rom0, and the ROMs follow from 1 in the order of the request.  A ROM without a\n"
             "name has one that is made of its 'at' (/rom/base: rom-base); without 'at', too, it\n"
             "has its number only.  Read one without 'at' from its device:\n"
             "    mount -t erofs /dev/ukp_rom_NAME DIRECTORY\n",
     .fails = "image: my-org/app\n"
              "roms:\n"
              "  - {name: \"my rom\", image: \"my-org/rom:v1\"}   # no name for a device\n",
     .works = "image: my-org/app\n"
              "roms:\n"
              "  - {name: my-rom, image: \"my-org/rom:v1\"}\n",
     .source = EXPLAIN_CLOUD "; which names are refused is " EXPLAIN_OURS},
    {.name = "order",
     .summary = "which ROM is which device, and which mount is made first",
     .others = {"nested", "hidden"},
     .text = "Devices are numbered in the order of the request.  Mounts are made in that order,\n"
             "too, but a directory before what is mounted below it, so that no ROM is hidden by\n"
             "its own parent.  Two ROMs at one place are refused.\n",
     .fails = "image: my-org/app\n"
              "roms:\n"
              "  - {name: base, image: \"my-org/base:v1\", at: /data}\n"
              "  - {name: more, image: \"my-org/more:v1\", at: /data}\n",
     .works = "image: my-org/app\n"
              "roms:\n"
              "  - {name: more, image: \"my-org/more:v1\", at: /data/more}\n"
              "  - {name: base, image: \"my-org/base:v1\", at: /data}\n",
     .source = EXPLAIN_OURS},
    {.name = "limits",
     .summary = "how many ROMs, how large",
     .others = {"limit", "size", "too-many"},
     .text = "8 ROMs an instance, inline and image together; 16 files and 1 MiB (decoded) an\n"
             "inline ROM; 8 MiB a request, with the inline data in base64.  Image ROMs have no\n"
             "limit of their own: large content goes there.  --limit NAME=VALUE changes one, for\n"
             "those whose cloud has others.\n",
     .fails = "image: my-org/app\n"
              "roms:\n"
              "  - {image: \"a/r:1\", at: /1}\n"
              "  - {image: \"a/r:1\", at: /2}\n"
              "  - {image: \"a/r:1\", at: /3}\n"
              "  - {image: \"a/r:1\", at: /4}\n"
              "  - {image: \"a/r:1\", at: /5}\n"
              "  - {image: \"a/r:1\", at: /6}\n"
              "  - {image: \"a/r:1\", at: /7}\n"
              "  - {image: \"a/r:1\", at: /8}\n"
              "  - {image: \"a/r:1\", at: /9}\n",
     .works = "image: my-org/app\n"
              "roms:\n"
              "  - {image: \"a/all-nine:1\", at: /roms}\n",
     .source = EXPLAIN_CLOUD},
    {.name = "image",
     .summary = "what an instance is made of",
     .others = {"base", "reference"},
     .text = "The base image: a name in the local store (romsim image import), as the cloud's\n"
             "registry has it, or a path beside the file: a directory, an archive, an OCI layout.\n"
             "Its command is its Entrypoint and Cmd; 'args' stand in the place of Cmd.\n",
     .fails = "name: app\n"
              "args: [/app]\n",
     .works = "name: app\n"
              "image: my-org/app:latest\n"
              "args: [/app]\n",
     .source = EXPLAIN_CLOUD},
    {.name = "args",
     .summary = "what is run",
     .others = {"command", "entrypoint", "cmd"},
     .text =
         "A list, one item for each argument: no shell looks at them.  They follow the image's\n"
         "Entrypoint, in place of its Cmd.  For what a shell does, run one:\n"
         "    args: [/bin/sh, -c, \"cd /code && exec python3 main.py\"]\n",
     .fails = "image: my-org/app\n"
              "args: python3 main.py\n",
     .works = "image: my-org/app\n"
              "args: [python3, main.py]\n",
     .source = EXPLAIN_CLOUD},
    {.name = "ports",
     .summary = "how the app is reached",
     .others = {"services", "service_group", "port"},
     .text = "A service has a public port and the destination_port where the app listens.  The\n"
             "cloud's handlers (tls, http, redirect) belong to the public one; romsim forwards a\n"
             "free port of 127.0.0.1 to destination_port, without TLS, and prints its address; -p\n"
             "HOST:GUEST chooses one.\n",
     .fails = "image: my-org/app\n"
              "service_group:\n"
              "  services:\n"
              "    - {port: 443, destination_port: 8080, handlers: [https]}\n",
     .works = "image: my-org/app\n"
              "service_group:\n"
              "  services:\n"
              "    - {port: 443, destination_port: 8080, handlers: [tls, http]}\n",
     .source = EXPLAIN_CLOUD},
    {.name = "templates",
     .summary = "saved instances, of which clones start at once",
     .others = {"template", "clone", "clones"},
     .text =
         "A template is an instance whose VM was saved when it was ready: its app writes 1 to\n"
         "/uk/libukp/template_instance, and that write returns in each clone.  A clone has the\n"
         "template's image, args, env, memory_mb and vcpus, and cannot change them; its name,\n"
         "address and ROMs are its own.  Made by 'romsim template create'.\n",
     .fails = "name: clone\n"
              "template: {name: worker}\n"
              "args: [/other]          # saved with the template\n",
     .works = "name: clone\n"
              "template: {name: worker}\n"
              "roms:\n"
              "  - {name: session, image: \"my-org/session:7\", at: /mnt/session}\n",
     .source = EXPLAIN_CLOUD},
    {.name = "volumes",
     .summary = "disks that outlive instances",
     .others = {"volume"},
     .text =
         "A volume is an ext4 disk, mounted at 'at' after the ROMs, and written to.  One that is\n"
         "there is named; one with size_mb is made with the instance, and goes with it.\n"
         "'romsim volume' makes and lists them.\n",
     .fails = "image: my-org/app\n"
              "volumes:\n"
              "  - {name: data}          # where?\n",
     .works = "image: my-org/app\n"
              "volumes:\n"
              "  - {at: /data, size_mb: 64}\n",
     .source = EXPLAIN_CLOUD},
    {0},
};
