/* SPDX-License-Identifier: BSD-3-Clause */
/* text.c: quoting, sizes, UTF-8, base64, nearest words, CRC-32C, errors and buffers. */
#include "harness.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/digest.h>
#include <romsim/error.h>
#include <romsim/paths.h>
#include <romsim/strings.h>
#include <romsim/text.h>

#include <errno.h>

static const char *quote(const char *text)
{
    static char quoted[64];

    return romsim_text_quote(text, strlen(text), quoted, sizeof(quoted));
}

START_TEST(quoting_leaves_readable_text_alone)
{
    ck_assert_str_eq(quote("plain"), "plain");
    ck_assert_str_eq(quote("größe-名前"), "größe-名前");
    ck_assert_str_eq(quote(""), "");
}
END_TEST

START_TEST(quoting_disarms_controls_and_broken_utf8)
{
    ck_assert_str_eq(quote("a\033[2Jb\n"), "a\\x1b[2Jb\\x0a");
    ck_assert_str_eq(quote("\x7f"), "\\x7f");
    ck_assert_str_eq(quote("\xc2\x9b"), "\\xc2\\x9b"); /* CSI as C1 control */
    ck_assert_str_eq(quote("\xff\xc0\x80"), "\\xff\\xc0\\x80");
    ck_assert_str_eq(quote("\xe2\x80\xae"
                           "gpj.exe"),
                     "\\xe2\\x80\\xaegpj.exe");                 /* bidi override */
    ck_assert_str_eq(quote("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* a surrogate */
}
END_TEST

START_TEST(quoting_tells_a_byte_from_a_text_that_looks_like_its_escape)
{
    ck_assert_str_eq(quote("a\\x0ab"), "a\\x5cx0ab");
    ck_assert_str_eq(quote("\\\\xFF"), "\\\\x5cxFF");
    ck_assert_str_eq(quote("C:\\new\\x1"), "C:\\new\\x1"); /* no escape: as it is */
}
END_TEST

START_TEST(quoting_cuts_with_dots_and_never_in_a_character)
{
    char small[12];
    char text[300];

    memset(text, 'x', sizeof(text));
    for (size_t size = 0; size < sizeof(text); size++) {
        romsim_text_quote(text, size, small, sizeof(small));
        ck_assert_uint_lt(strlen(small), sizeof(small));
        ck_assert_str_eq(small + strlen(small) - (size >= 12 ? 3 : 0), size >= 12 ? "..." : "");
    }
    romsim_text_quote("äääääääääääää", 26, small, sizeof(small));
    ck_assert(romsim_utf8_is_valid(small, strlen(small)));
    ck_assert_str_eq(small, "ääää...");
}
END_TEST

START_TEST(sizes_read_well)
{
    ck_assert_str_eq(SIZE_TEXT(0), "0 B");
    ck_assert_str_eq(SIZE_TEXT(1023), "1023 B");
    ck_assert_str_eq(SIZE_TEXT(4096), "4.0 KiB");
    ck_assert_str_eq(SIZE_TEXT(1048575), "1.0 MiB");
    ck_assert_str_eq(SIZE_TEXT(UINT64_MAX), "16.0 EiB");
}
END_TEST

START_TEST(counts_have_their_nouns)
{
    ck_assert_str_eq(COUNT_TEXT(0, "entry", "entries"), "0 entries");
    ck_assert_str_eq(COUNT_TEXT(1, "entry", "entries"), "1 entry");
    ck_assert_str_eq(COUNT_TEXT(2, "entry", "entries"), "2 entries");
}
END_TEST

START_TEST(utf8_is_checked_by_rfc_3629)
{
    ck_assert(romsim_utf8_is_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
    ck_assert(romsim_utf8_is_valid("\xf4\x8f\xbf\xbf", 4)); /* U+10FFFF */
    ck_assert(!romsim_utf8_is_valid("\xf4\x90\x80\x80", 4));
    ck_assert(!romsim_utf8_is_valid("\xe0\x80\x80", 3)); /* overlong */
    ck_assert(!romsim_utf8_is_valid("\xc3", 1));
}
END_TEST

static void check_base64(const char *bytes, size_t size, const char *text)
{
    CLEANUP_FREE char *encoded = romsim_base64_encode(bytes, size);
    size_t decoded_size;
    CLEANUP_FREE uint8_t *decoded = romsim_base64_decode(text, strlen(text), &decoded_size);

    ck_assert_str_eq(encoded, text);
    ck_assert_ptr_nonnull(decoded);
    ck_assert_uint_eq(decoded_size, size);
    ck_assert_mem_eq(decoded, bytes, size);
}

START_TEST(base64_is_that_of_rfc_4648)
{
    check_base64("", 0, "");
    check_base64("f", 1, "Zg==");
    check_base64("fo", 2, "Zm8=");
    check_base64("foo", 3, "Zm9v");
    check_base64("foob", 4, "Zm9vYg==");
    check_base64("\xff\xfe\xfb\x00", 4, "//77AA==");
}
END_TEST

START_TEST(base64_tells_the_first_wrong_character)
{
    static const struct {
        const char *text;
        size_t wrong;
    } cases[] = {{"Zm9v\nZg==", 4}, {"Zg=", 2},      {"Zh==", 1},  {"Zm9=", 2}, {"====", 0},
                 {"Z", 0},          {"Zg==Zg==", 2}, {"Zm9v!", 4}, {"_-==", 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t wrong = 99;

        ck_assert_ptr_null(romsim_base64_decode(cases[i].text, strlen(cases[i].text), &wrong));
        ck_assert_msg(wrong == cases[i].wrong, "'%s': %zu", cases[i].text, wrong);
    }
}
END_TEST

START_TEST(the_nearest_word_is_a_typo_away)
{
    static const char *const known[] = {"name", "image", "files", "at", NULL};

    ck_assert_str_eq(romsim_text_nearest("imgae", known), "image");
    ck_assert_str_eq(romsim_text_nearest("file", known), "files");
    ck_assert_str_eq(romsim_text_nearest("att", known), "at");
    ck_assert_ptr_null(romsim_text_nearest("kernel", known));
    ck_assert_ptr_null(romsim_text_nearest("", known));
}
END_TEST

START_TEST(crc32c_has_its_check_value)
{
    /* The catalogue's check value for "123456789" is with the final inversion. */
    ck_assert_uint_eq(~romsim_crc32c(UINT32_MAX, "123456789", 9), 0xe3069283);
}
END_TEST

START_TEST(errors_gain_context_and_are_cut_not_overrun)
{
    struct romsim_error error;
    char filler[3000];

    ck_assert_int_eq(romsim_error_system(&error, ENOENT, "cannot open '%s'", "x"), -1);
    romsim_error_context(&error, "image '%s'", "y");
    ck_assert_str_eq(error.message, "image 'y': cannot open 'x': No such file or directory");
    romsim_error_set(&error, EINVAL, "again: %s", error.message); /* its own text as argument */
    ck_assert_str_eq(error.message, "again: image 'y': cannot open 'x': No such file or directory");
    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    romsim_error_set(&error, EINVAL, "%s", filler);
    romsim_error_context(&error, "%s", filler);
    ck_assert_uint_eq(strlen(error.message), sizeof(error.message) - 1);
    ck_assert_str_eq(error.message + sizeof(error.message) - 4, "...");
    ck_assert_int_eq(romsim_error_set(NULL, EINVAL, "lost"), -1);
}
END_TEST

START_TEST(diagnostics_count_what_they_do_not_keep)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "again");
    for (int i = 0; i < ROMSIM_DIAGNOSTICS_MAX + 7; i++)
        romsim_diagnostics_add(&diagnostics, &error, i == 0);
    ck_assert_uint_eq(diagnostics.count, ROMSIM_DIAGNOSTICS_MAX);
    ck_assert_uint_eq(diagnostics.errors, ROMSIM_DIAGNOSTICS_MAX + 6);
    ck_assert_uint_eq(diagnostics.warnings, 1);
    romsim_diagnostics_clear(&diagnostics);
    ck_assert_uint_eq(diagnostics.count, 0);
}
END_TEST

START_TEST(a_buffer_stops_at_its_maximum_and_stays_failed)
{
    CLEANUP_BUFFER struct romsim_buffer buffer = ROMSIM_BUFFER_INIT(8);

    ck_assert_int_eq(romsim_buffer_printf(&buffer, "%d-%s", 12, "abcd"), 0);
    ck_assert_str_eq(buffer.data, "12-abcd");
    ck_assert_int_eq(romsim_buffer_puts(&buffer, "ef"), -1);
    ck_assert_int_eq(buffer.failed, EFBIG);
    ck_assert_int_eq(romsim_buffer_puts(&buffer, "e"), -1);
    ck_assert_ptr_null(romsim_buffer_steal(&buffer));
}
END_TEST

START_TEST(an_empty_buffer_gives_an_empty_string)
{
    CLEANUP_BUFFER struct romsim_buffer buffer = ROMSIM_BUFFER_INIT(8);
    CLEANUP_FREE char *text = romsim_buffer_steal(&buffer);

    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_message_is_disarmed_and_else_as_it_was)
{
    char shown[64];
    const char text[] = "a\x1b[1m \\x1b \xc2\x9b \xe2\x80\xae \xff \xc3\xa9";

    ck_assert_str_eq(romsim_text_disarm(text, strlen(text), shown, sizeof(shown)),
                     "a\\x1b[1m \\x1b \\xc2\\x9b \\xe2\\x80\\xae \\xff \xc3\xa9");
    ck_assert_str_eq(romsim_text_disarm(shown, strlen(shown), (char[64]){0}, 64), shown);
}
END_TEST

START_TEST(controls_are_told_from_letters)
{
    uint32_t control = 0;

    ck_assert_uint_eq(romsim_text_control("\xc2\x9b", 2, &control), 2);
    ck_assert_uint_eq(control, 0x9b);
    ck_assert_uint_eq(romsim_text_control("\x7f", 1, &control), 1);
    ck_assert_uint_eq(romsim_text_control("a", 1, &control), 0);
    ck_assert_uint_eq(romsim_text_control("\xc3\xa9", 2, &control), 0);
    ck_assert_uint_eq(romsim_text_control("\xff", 1, &control), 0);
    ck_assert_uint_eq(romsim_text_control("", 0, &control), 0);
}
END_TEST

START_TEST(a_text_has_its_columns)
{
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {{"", 0},
                 {"abc", 3},
                 {"\xc3\xa9", 1},                 /* e with an acute accent */
                 {"e\xcc\x81", 1},                /* e and a combining one */
                 {"\xe6\x97\xa5\xe8\xaa\x9e", 4}, /* two ideographs */
                 {"\xef\xbc\xa1", 2},             /* a fullwidth A */
                 {"\xf0\x9f\x98\x80", 2},         /* a face */
                 {"\xff", 1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_uint_eq(romsim_text_columns(cases[i].text, strlen(cases[i].text)),
                          cases[i].columns);
}
END_TEST

START_TEST(sizes_are_read_with_their_suffixes)
{
    static const struct {
        const char *text;
        int status;
        uint64_t value;
    } cases[] = {{"0", 0, 0},
                 {"4096", 0, 4096},
                 {"512M", 0, 512 << 20},
                 {"256Mi", 0, 256 << 20},
                 {"3Gi", 0, UINT64_C(3) << 30},
                 {"1T", 0, UINT64_C(1) << 40},
                 {"18446744073709551615", 0, UINT64_MAX},
                 {"18446744073709551616", -1, 7},
                 {"16777216T", -1, 7},
                 {"", -1, 7},
                 {"-1", -1, 7},
                 {"+1", -1, 7},
                 {" 1", -1, 7},
                 {"M", -1, 7},
                 {"1m", -1, 7},
                 {"1MB", -1, 7},
                 {"1Mib", -1, 7},
                 {"1i", -1, 7},
                 {"1.5G", -1, 7}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 7;

        ck_assert_msg(romsim_parse_size(cases[i].text, &value) == cases[i].status, "%s",
                      cases[i].text);
        ck_assert_msg(value == cases[i].value, "%s is %llu", cases[i].text,
                      (unsigned long long)value);
    }
}
END_TEST

START_TEST(bounds_change_all_or_none)
{
    struct romsim_error error = {0};

    ck_assert_uint_eq(romsim_bound(ROMSIM_BOUND_HOLE_BYTES),
                      romsim_bound_default(ROMSIM_BOUND_HOLE_BYTES));
    ck_assert_int_eq(romsim_bounds_set("hole-bytes=1G,hole-byte=2", &error), -1);
    ck_assert_str_eq(error.message, "no bound in 'hole-byte'");
    ck_assert_int_eq(romsim_bounds_set("hole-bytes=1G,unpack-bytes=x", &error), -1);
    ck_assert_str_eq(error.message, "no value for the bound 'unpack-bytes' in 'x'");
    ck_assert_int_eq(romsim_bounds_set("hole-bytes", &error), -1);
    ck_assert_uint_eq(romsim_bound(ROMSIM_BOUND_HOLE_BYTES),
                      romsim_bound_default(ROMSIM_BOUND_HOLE_BYTES));
    ck_assert_int_eq(romsim_bounds_set("hole-bytes=1G,unpack-bytes=0", &error), 0);
    ck_assert_uint_eq(romsim_bound(ROMSIM_BOUND_HOLE_BYTES), 1 << 30);
    ck_assert_uint_eq(romsim_bound(ROMSIM_BOUND_UNPACK_BYTES), 0);
    ck_assert_int_eq(romsim_bound_refuse(&error, ROMSIM_BOUND_HOLE_BYTES, "%d holes", 3), -1);
    ck_assert_int_eq(error.errnum, EFBIG);
    ck_assert_str_eq(error.message, "3 holes");
    ck_assert_str_eq(error.hint, "--bound hole-bytes=VALUE allows more than 1073741824");
}
END_TEST

START_TEST(each_bound_has_a_name_and_a_description)
{
    for (int i = 0; i < ROMSIM_BOUND_COUNT; i++) {
        ck_assert_ptr_nonnull(romsim_bound_name(i));
        ck_assert_uint_gt(strlen(romsim_bound_description(i)), 10);
        ck_assert(romsim_bound_default(i) > 0 || i == ROMSIM_BOUND_OVERCOMMIT);
    }
}
END_TEST

/* The words of a text as a list, of which the last of each name is left; joined again. */
static const char *last_of_each(const char *words)
{
    static char joined[200];
    struct romsim_strings list = {0};
    char copy[200];

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        ck_assert_int_eq(romsim_strings_append(&list, word), 0);
    ck_assert_int_eq(romsim_strings_last_of_each(&list), 0);
    joined[0] = '\0';
    for (size_t i = 0; i < list.count; i++)
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", i ? " " : "",
                 list.items[i]);
    for (int i = 0; i < 20; i++) /* a list that has become shorter can grow */
        ck_assert_int_eq(romsim_strings_append(&list, "more"), 0);
    romsim_strings_clear(&list);
    return joined;
}

START_TEST(of_variables_with_one_name_the_last_stays_where_the_first_stood)
{
    ck_assert_str_eq(last_of_each(""), "");
    ck_assert_str_eq(last_of_each("A=1"), "A=1");
    ck_assert_str_eq(last_of_each("A=1 B=2 A=3"), "A=3 B=2");
    ck_assert_str_eq(last_of_each("Z=1 A=1 Z=2 AB=1 A=2 Z=3 A="), "Z=3 A= AB=1");
    ck_assert_str_eq(last_of_each("A A=1 AA A=2=3 =x =y B"), "A=2=3 AA =y B");
    ck_assert_str_eq(last_of_each("A=1 A=1 A=1 A=1 A=1 A=1 A=1 A=1 A=1"), "A=1");
}
END_TEST

START_TEST(an_absolute_path_has_no_dots_but_keeps_what_links_may_change)
{
    static const char *const paths[][2] = {
        {"/a/b", "/a/b"}, {"/a/./b/.", "/a/b"}, {"//a//b/", "/a/b"},   {"/a/../b", "/a/../b"},
        {"/", "/"},       {"/.", "/"},          {"/.a/..b", "/.a/..b"}};
    CLEANUP_FREE char *here = getcwd(NULL, 0);
    CLEANUP_FREE char *relative = romsim_path_absolute("./x/./y");

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        CLEANUP_FREE char *absolute = romsim_path_absolute(paths[i][0]);

        ck_assert_str_eq(absolute, paths[i][1]);
    }
    ck_assert_uint_eq(strlen(relative), strlen(here) + (here[1] ? 4 : 3));
    ck_assert_str_eq(relative + strlen(relative) - 4, "/x/y");
    ck_assert_mem_eq(relative, here, strlen(here));
}
END_TEST

UNIT_MAIN("text", an_absolute_path_has_no_dots_but_keeps_what_links_may_change,
          of_variables_with_one_name_the_last_stays_where_the_first_stood,
          quoting_leaves_readable_text_alone, quoting_disarms_controls_and_broken_utf8,
          quoting_tells_a_byte_from_a_text_that_looks_like_its_escape,
          quoting_cuts_with_dots_and_never_in_a_character, a_message_is_disarmed_and_else_as_it_was,
          controls_are_told_from_letters, a_text_has_its_columns, sizes_read_well,
          sizes_are_read_with_their_suffixes, bounds_change_all_or_none,
          each_bound_has_a_name_and_a_description, counts_have_their_nouns,
          utf8_is_checked_by_rfc_3629, base64_is_that_of_rfc_4648,
          base64_tells_the_first_wrong_character, the_nearest_word_is_a_typo_away,
          crc32c_has_its_check_value, errors_gain_context_and_are_cut_not_overrun,
          diagnostics_count_what_they_do_not_keep, a_buffer_stops_at_its_maximum_and_stays_failed,
          an_empty_buffer_gives_an_empty_string)
