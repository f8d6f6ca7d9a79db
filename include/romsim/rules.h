/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules.h: the rules that an instance file, its ROMs and its images can break, by their codes.
 *
 * An error or a warning that comes of one carries it (error.h), and is printed with its code,
 * "[R017]", on which `romsim explain R017` has a page (sim/cli/explain_rules.c).  A number stands
 * for its rule for ever: one that is dropped is not given again.
 *
 * No rule has what is wrong with this machine (a file that cannot be read, a volume that is
 * attached elsewhere), with a command line, or with a Kraftfile alone.
 */
#ifndef ROMSIM_RULES_H
#define ROMSIM_RULES_H

enum romsim_rule {
    ROMSIM_RULE_NONE = 0,
    /* the text */
    ROMSIM_RULE_TEXT = 1,
    ROMSIM_RULE_SYNTAX = 2,
    ROMSIM_RULE_DUPLICATE_MEMBER = 3,
    ROMSIM_RULE_TAG = 4,
    ROMSIM_RULE_ALIAS = 5,
    ROMSIM_RULE_BOUND = 6,
    ROMSIM_RULE_MEMBER_NAME = 7,
    ROMSIM_RULE_JSON_AS_YAML = 8,
    ROMSIM_RULE_ANSWER = 9,
    /* its shape */
    ROMSIM_RULE_UNKNOWN_MEMBER = 10,
    ROMSIM_RULE_MISSING_MEMBER = 11,
    ROMSIM_RULE_KIND = 12,
    ROMSIM_RULE_NUMBER = 13,
    ROMSIM_RULE_WORD = 14,
    ROMSIM_RULE_COUNT = 15,
    ROMSIM_RULE_NUL = 16,
    ROMSIM_RULE_MOUNT_POINT = 17,
    ROMSIM_RULE_NO_INSTANCE = 18,
    ROMSIM_RULE_NOT_SIMULATED = 19,
    ROMSIM_RULE_DEPRECATED = 20,
    /* what it says */
    ROMSIM_RULE_EXCLUSIVE = 21,
    ROMSIM_RULE_NAME = 22,
    ROMSIM_RULE_HOSTNAME = 23,
    ROMSIM_RULE_IMAGE = 24,
    ROMSIM_RULE_CLONE = 25,
    ROMSIM_RULE_UUID = 26,
    ROMSIM_RULE_MEMORY = 27,
    ROMSIM_RULE_VARIABLE = 28,
    ROMSIM_RULE_PORT = 29,
    ROMSIM_RULE_HANDLERS = 30,
    ROMSIM_RULE_FILE_PATH = 31,
    ROMSIM_RULE_DUPLICATE = 32,
    ROMSIM_RULE_EMPTY_ROM = 33,
    ROMSIM_RULE_TOO_MANY_FILES = 34,
    ROMSIM_RULE_ROM_BYTES = 35,
    ROMSIM_RULE_TOO_MANY_ROMS = 36,
    ROMSIM_RULE_BODY_BYTES = 37,
    ROMSIM_RULE_TOO_MANY_VOLUMES = 38,
    ROMSIM_RULE_VOLUME_SIZE = 39,
    ROMSIM_RULE_TOO_MANY_PLUGINS = 40,
    ROMSIM_RULE_BASE64 = 41,
    ROMSIM_RULE_DIR = 42,
    /* its images */
    ROMSIM_RULE_ROM_SIZE = 43,
    ROMSIM_RULE_DAMAGED = 44,
    ROMSIM_RULE_UNLIKE_CLOUD = 45,
    ROMSIM_RULE_NO_EROFS = 46,
    ROMSIM_RULE_NO_IMAGE = 47,
    /* its start */
    ROMSIM_RULE_NO_COMMAND = 48,
    ROMSIM_RULE_MOUNT_TARGET = 49,
    ROMSIM_RULE_HIDDEN = 50,
    ROMSIM_RULE_WORKING_DIR = 51,
    ROMSIM_RULE_COMMAND = 52,
    ROMSIM_RULE_NOT_EXECUTABLE = 53,
    ROMSIM_RULE_INTERPRETER = 54,
    ROMSIM_RULE_PROCESSOR = 55,
    ROMSIM_RULE_ARGUMENT_PATH = 56,
    ROMSIM_RULE_OTHER_CASE = 57,
    ROMSIM_RULE_ORDER = 58,
    ROMSIM_RULE_END /* behind the last one */
};

#endif
