/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance_hostile.c: texts made to hurt: every one is refused or read, with bounded memory and
 * nothing that grows faster than the text (hostile-input, "YAML").  There is no clock in here: a
 * quadratic reader would run into Check's own time-out.
 */
#include "harness.h"

#include <romsim/instance.h>

static const struct romsim_input source = {.name = "x"};
static struct romsim_diagnostics diagnostics;

static int parse_bytes(const char *text, size_t size)
{
    struct romsim_instances instances;
    int status;

    romsim_diagnostics_clear(&diagnostics);
    status = romsim_instances_parse(text, size, &source, NULL, &instances, &diagnostics);
    romsim_instances_clear(&instances);
    return status;
}

static int parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* The text, which is freed, is refused with this as the beginning of its first error. */
static void refuse(char *text, const char *message)
{
    ck_assert_int_eq(parse(text), -1);
    ck_assert_uint_ge(diagnostics.count, 1);
    if (strncmp(diagnostics.entries[0].error.message, message, strlen(message)) != 0)
        ck_abort_msg("got '%s', not '%s'", diagnostics.entries[0].error.message, message);
    free(text);
}

START_TEST(an_alias_bomb_does_not_go_off)
{
    static const char bomb[] = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c]\n"
                               "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e]\n"
                               "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g]\n";

    refuse(strdup(bomb), "the text has more than 100000 values, aliases expanded");
}
END_TEST

START_TEST(a_hundred_thousand_values_are_the_most)
{
    /* The list, image, x, args, its list and the object's own node are the other ones. */
    char *most = unit_repeat("{image: x, args: [", "a,", 100000 - 5, "]}");

    ck_assert_int_eq(parse(most), 0);
    free(most);
    refuse(unit_repeat("{image: x, args: [", "a,", 100000 - 4, "]}"),
           "the text has more than 100000");
    refuse(unit_repeat("{\"image\": \"x\", \"args\": [\"a\"", ",\"a\"", 100000 - 5, "]}"),
           "the text has more than 100000");
}
END_TEST

START_TEST(sixty_four_levels_are_the_most)
{
    char *deep = unit_repeat("image: x\nannotations: ", "[", 63, "");
    char *whole = unit_repeat(deep, "]", 63, "\n");

    ck_assert_int_eq(parse(whole), 0);
    free(whole);
    free(deep);
    refuse(unit_repeat("image: x\nannotations: ", "[", 64, ""), "lists and objects are nested");
    refuse(unit_repeat("", "[", 1000000, ""), "lists and objects are nested");
    refuse(unit_repeat("", "{\"a\":", 1000000, ""), "lists and objects are nested");
    refuse(unit_repeat("", "- ", 1000000, ""), "lists and objects are nested");
    refuse(unit_repeat("image: x\na: ", "{a: ", 100000, ""), "lists and objects are nested");
    refuse(unit_repeat("? ", "? ", 100000, ""), "a member's name must be a string");
}
END_TEST

START_TEST(aliases_do_not_add_up_to_more_levels)
{
    char *half = unit_repeat("a: &a ", "[", 40, "");
    char *first = unit_repeat(half, "]", 40, "\nb: ");
    char *second = unit_repeat(first, "[", 40, "*a");

    free(half);
    free(first);
    refuse(second, "lists and objects are nested");
}
END_TEST

START_TEST(keys_anchors_and_tags_in_masses_take_no_quadratic_time)
{
    char *text = malloc(4 << 20);
    size_t size = (size_t)sprintf(text, "image: x\nenv:\n");

    for (int i = 0; i < 49000; i++)
        size += (size_t)sprintf(text + size, "  K%d: &a%d v\n", i, i);
    ck_assert_int_eq(parse(text), 0);
    size = (size_t)sprintf(text, "image: x\nenv:\n");
    for (int i = 0; i < 49000; i++)
        size += (size_t)sprintf(text + size, "  K: v\n");
    refuse(text, "Duplicate member 'K'");
    ck_assert_uint_eq(diagnostics.errors, 48999);
    ck_assert_uint_eq(diagnostics.count, ROMSIM_DIAGNOSTICS_MAX);
    text = malloc(4 << 20);
    size = 0;
    for (int i = 0; i < 100000; i++)
        size += (size_t)sprintf(text + size, "%%TAG !a%d! tag:x:\n", i);
    refuse(text, "more than 100 %TAG lines");
}
END_TEST

START_TEST(many_bad_things_on_one_long_line_take_no_quadratic_time)
{
    refuse(unit_repeat("{\"image\": \"x\", \"roms\": [", "{\"image\": 1},", 24000, "1]}"),
           "Member 'roms[0].image' must be a string");
    ck_assert_uint_eq(diagnostics.errors, 24001 + 1); /* and too many */
    refuse(unit_repeat("[", "{},", 60000, "{}]"), "Missing member image");
    refuse(unit_repeat("{\"image\": \"x\", \"roms\": [{\"files\": [",
                       "{\"path\":\"\",\"data\":\"\"},", 19000, "1]}]}"),
           "Too many files");
    refuse(unit_repeat("{\"image\": \"x\", \"service_group\": {\"services\": [", "{\"port\":1},",
                       30000, "1]}}"),
           "Duplicate service port 1");
}
END_TEST

START_TEST(a_huge_text_is_refused_unread)
{
    refuse(unit_repeat("", "#                               \n", (16 << 20) / 33 + 1, "image: x\n"),
           "the text is larger than 16777216 bytes");
}
END_TEST

START_TEST(long_scalars_are_only_long)
{
    char *comment = unit_repeat("image: x # ", "c", 8 << 20, "\n");
    char *value = unit_repeat("image: x\nannotations: '", "a ", 2 << 20, "'\n");
    char *blank = unit_repeat("image: x\nannotations: |\n  a", "\n", 2 << 20, "  b\n");
    char *string =
        unit_repeat("{\"image\":\"x\",\"annotations\":\"", "\\ud83d\\ude00", 500000, "\"}");

    ck_assert_int_eq(parse(comment), 0);
    ck_assert_int_eq(parse(value), 0);
    ck_assert_int_eq(parse(blank), 0);
    ck_assert_int_eq(parse(string), 0);
    free(comment);
    free(value);
    free(blank);
    free(string);
}
END_TEST

START_TEST(odd_encodings_are_read_or_refused_by_name)
{
    ck_assert_int_eq(parse("\xef\xbb\xbfimage: x\n"), 0);
    ck_assert_int_eq(parse("\xef\xbb\xbf{\"image\": \"x\"}"), 0);
    ck_assert_int_eq(parse("image: x\r\nenv:\r\n  A: b\r\n"), 0);
    ck_assert_int_eq(parse("image: x\renv: {A: b}\r"), 0);
    ck_assert_int_eq(parse("{\t\"image\":\t\"x\"\t}\r\n"), 0);
    ck_assert_int_eq(parse("image:\tx\n"), 0);
    ck_assert_int_eq(parse_bytes("image: x\0y\n", 11), -1);
    ck_assert_str_eq(diagnostics.entries[0].error.message, "a NUL byte in the text");
    ck_assert_uint_eq(diagnostics.entries[0].error.place.column, 9);
    ck_assert_int_eq(parse_bytes("\xff\xfei\0m\0a\0g\0e\0:\0 \0x\0", 18), -1);
    ck_assert_str_eq(diagnostics.entries[0].error.message, "the text is not valid UTF-8");
    ck_assert_int_eq(parse("image: \xf4\x90\x80\x80\n"), -1);
    ck_assert_str_eq(diagnostics.entries[0].error.message, "the text is not valid UTF-8");
}
END_TEST

START_TEST(messages_never_carry_terminal_controls)
{
    static const char *const texts[] = {
        "\"a\\e]0;x\\a\": 1\n", "image: \"\\e[2J\"\nname: \"\\e\"\n",
        "{\"\\u009b31m\": 1}",  "image: x\nroms: [{name: \"\\x9b\"}]",
        "image: !\xc2\x9b x\n", "image: x\nenv: {\"\\u202e\": [1]}\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(parse(texts[i]), -1);
        for (size_t j = 0; j < diagnostics.count; j++) {
            const struct romsim_error *error = &diagnostics.entries[j].error;
            const char *const all[] = {error->message, error->hint, error->place.excerpt};

            for (size_t k = 0; k < 3; k++) {
                ck_assert_ptr_null(strpbrk(all[k], "\033\a\b\r"));
                ck_assert_ptr_null(strstr(all[k], "\xc2\x9b"));
                ck_assert_ptr_null(strstr(all[k], "\xe2\x80\xae"));
            }
        }
    }
}
END_TEST

/* Every prefix and every damaged byte of a text that has all there is: no crash, no hang, and an
 * error wherever it is refused. */
START_TEST(damaged_texts_are_refused_in_peace)
{
    static const char yaml[] =
        "%YAML 1.2\n---\nname: &n \"a\\u00e9\"\nimage: {url: x}\nenv: {A: *n}\n"
        "roms:\n- name: r\n  files: [{path: a, encoding: base64, data: "
        "YQ==}]\n  at: /x\n- !!map {image: 'y'}\nargs: [>-\n  x, 0x1]\n";
    static const char json[] = "{\"image\":\"\\ud83d\\ude00\",\"memory_mb\":1.28e2,\"roms\":[{"
                               "\"files\":[{\"path\":\"a\",\"data\":\"\\u0000\"}]}],\"env\":null}";
    static const char bytes[] = "\0\t\n\"'#&*-:,[]{}!%@`\\/|>?\x7f\x80\xc3\xff"
                                "09azA";
    const char *const texts[] = {yaml, json};

    for (size_t t = 0; t < 2; t++) {
        size_t size = strlen(texts[t]);
        char *copy = strdup(texts[t]);

        for (size_t i = 0; i <= size; i++)
            if (parse_bytes(texts[t], i) < 0)
                ck_assert_uint_ge(diagnostics.errors, 1);
        for (size_t i = 0; i < size; i++) {
            for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
                copy[i] = bytes[b];
                if (parse_bytes(copy, size) < 0)
                    ck_assert_uint_ge(diagnostics.errors, 1);
            }
            copy[i] = texts[t][i];
        }
        free(copy);
    }
}
END_TEST

UNIT_MAIN("instance_hostile", an_alias_bomb_does_not_go_off, a_hundred_thousand_values_are_the_most,
          sixty_four_levels_are_the_most, aliases_do_not_add_up_to_more_levels,
          keys_anchors_and_tags_in_masses_take_no_quadratic_time,
          many_bad_things_on_one_long_line_take_no_quadratic_time, a_huge_text_is_refused_unread,
          long_scalars_are_only_long, odd_encodings_are_read_or_refused_by_name,
          messages_never_carry_terminal_controls, damaged_texts_are_refused_in_peace)
