/* SPDX-License-Identifier: BSD-3-Clause */
/* case.c: what a case keeps of a run, whether another run was the same, and files that are none. */
#include "harness.h"
#include "tars.h"

#include "sim/case/format.h"

#include <romsim/case.h>

#include <errno.h>
#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- reads -------------------------------------------------------------------------------- */

#define DEVICE                                                                                     \
    "{\"kind\":\"device\",\"instance\":\"i\",\"device\":\"ukp_rom1\",\"name\":\"ukp_rom_code\","   \
    "\"size\":8192,\"files\":[{\"path\":\"/a\",\"size\":100}]}\n"
#define READ(time, offset, size, what)                                                             \
    "{\"kind\":\"read\",\"instance\":\"i\",\"device\":\"ukp_rom1\",\"time_us\":" #time             \
    ",\"took_us\":3,\"offset\":" #offset ",\"size\":" #size ",\"what\":[" what "]}\n"
#define FILE_PIECE(path, start, length)                                                            \
    "{\"is\":\"file\",\"path\":\"" path "\",\"start\":" #start ",\"length\":" #length "}"
#define FAILED(path)                                                                               \
    "{\"kind\":\"read\",\"instance\":\"i\",\"device\":\"ukp_rom1\",\"time_us\":9,\"took_us\":1,"   \
    "\"offset\":4096,\"size\":512,\"error\":\"EIO\",\"what\":[" FILE_PIECE(path, 0, 512) "]}\n"

static struct romsim_reads *parse(const char *text)
{
    struct romsim_error err = {0};
    struct romsim_reads *reads = romsim_reads_parse(text, strlen(text), SIZE_MAX, "i", &err);

    ck_assert_msg(reads != NULL, "%s", err.message);
    return reads;
}

static char *write_reads(const struct romsim_reads *reads)
{
    struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);

    romsim_reads_write(reads, &text);
    ck_assert_int_eq(text.failed, 0);
    return romsim_buffer_steal(&text);
}

START_TEST(a_trace_is_the_same_whenever_and_however_it_was_read)
{
    CLEANUP_READS struct romsim_reads *once = parse(DEVICE READ(
        5, 0, 4096, FILE_PIECE("/a", 0, 4096)) READ(7, 4096, 4096, FILE_PIECE("/b", 0, 100)));
    /* In other requests, answered in another order, and the first again. */
    CLEANUP_READS struct romsim_reads *again =
        parse(DEVICE READ(90, 4096, 4096, FILE_PIECE("/b", 0, 100))
                  READ(80, 2048, 2048, FILE_PIECE("/a", 2048, 2048))
                      READ(70, 0, 2048, FILE_PIECE("/a", 0, 2048))
                          READ(99, 0, 512, FILE_PIECE("/a", 0, 512)));
    CLEANUP_FREE char *one = write_reads(once), *other = write_reads(again), *back;
    CLEANUP_READS struct romsim_reads *read_back =
        romsim_reads_parse(one, strlen(one), SIZE_MAX, NULL, NULL);

    ck_assert_str_eq(one, other);
    ck_assert_ptr_null(strstr(one, "_us"));
    ck_assert_ptr_null(strstr(one, "instance"));
    ck_assert_ptr_nonnull(read_back);
    back = write_reads(read_back);
    ck_assert_str_eq(one, back);
    ck_assert_ptr_null(romsim_reads_difference(once, again, true));
}
END_TEST

START_TEST(what_one_read_and_the_other_did_not_is_named)
{
    CLEANUP_READS struct romsim_reads *there =
        parse(DEVICE READ(1, 0, 100, FILE_PIECE("/a", 0, 100)));
    CLEANUP_READS struct romsim_reads *here = parse(DEVICE READ(1, 0, 100, FILE_PIECE("/a", 0, 50))
                                                        READ(2, 0, 100, FILE_PIECE("/b", 0, 1)));
    CLEANUP_READS struct romsim_reads *failed = parse(DEVICE FAILED("/a"));
    CLEANUP_READS struct romsim_reads *none = parse("");
    CLEANUP_FREE char *ranges = romsim_reads_difference(there, here, true);
    CLEANUP_FREE char *files = romsim_reads_difference(there, here, false);
    CLEANUP_FREE char *failure = romsim_reads_difference(failed, there, false);
    CLEANUP_FREE char *missing = romsim_reads_difference(there, none, false);

    ck_assert_str_eq(ranges, "ROM ukp_rom_code: /a was read at 0-99 there, and at 0-49 here");
    ck_assert_str_eq(files, "ROM ukp_rom_code: /b was read here, and is not there");
    ck_assert_str_eq(failure,
                     "ROM ukp_rom_code: /a could not be read (EIO) there, and not so here");
    ck_assert_str_eq(missing, "the ROM ukp_rom1 is only there");
}
END_TEST

START_TEST(lines_of_others_and_of_nothing_are_passed_over)
{
    CLEANUP_READS struct romsim_reads *reads = parse(
        "no json\n[]\n{\"kind\":7}\n" DEVICE
        "{\"kind\":\"read\",\"instance\":\"j\",\"device\":\"ukp_rom1\",\"what\":[" FILE_PIECE(
            "/j", 0, 1) "]}\n"
                        "{\"kind\":\"read\",\"device\":\"ukp_rom9\",\"what\":[" FILE_PIECE(
                            "/k", 0, 1) "]}\n"
                                        "{\"kind\":\"read\",\"device\":\"ukp_rom1\",\"offset\":-5,"
                                        "\"size\":9223372036854775807,\"what\":[{\"is\":\"file\"}]}"
                                        "\n{\"kind\":\"read\",\"device\":\"ukp_rom1\",\"cut\":");
    CLEANUP_FREE char *text = write_reads(reads);

    ck_assert_ptr_null(strstr(text, "/j"));
    ck_assert_ptr_null(strstr(text, "/k"));
    ck_assert_ptr_null(strstr(text, "cut"));
    ck_assert_ptr_null(romsim_reads_parse("{\"kind\":\"x\"}\n", 13, 5, NULL, NULL));
}
END_TEST

/* ---- outcomes ----------------------------------------------------------------------------- */

static struct romsim_outcome outcome(enum romsim_outcome_end end, int status, const char *console)
{
    struct romsim_outcome made = {
        .end = end, .status = status, .console = ROMSIM_BUFFER_INIT(1 << 20)};

    romsim_buffer_puts(&made.console, console);
    return made;
}

/* Compares, and frees both; "" for the same. */
static const char *compare(struct romsim_outcome there, struct romsim_outcome here)
{
    static char text[1000];
    CLEANUP_COMPARISON struct romsim_comparison comparison = {0};

    ck_assert_int_eq(romsim_outcome_compare(&there, &here, true, &comparison, NULL), 0);
    snprintf(text, sizeof(text), "%s%s%s", comparison.difference ? comparison.subject : "",
             comparison.difference ? ": " : "", comparison.difference ?: "");
    romsim_outcome_clear(&there);
    romsim_outcome_clear(&here);
    return text;
}

#define EXIT(status, console) outcome(ROMSIM_OUTCOME_EXIT, status, console)
#define CUT(console)          outcome(ROMSIM_OUTCOME_CUT, 0, console)

START_TEST(the_first_difference_is_told)
{
    struct romsim_outcome reasoned = outcome(ROMSIM_OUTCOME_FAILED, 0, "");
    struct romsim_outcome other = outcome(ROMSIM_OUTCOME_FAILED, 0, "");

    ck_assert_str_eq(compare(EXIT(0, "a\r\nb\n"), EXIT(0, "a\nb")), "");
    ck_assert_str_eq(compare(EXIT(0, "a\n"), EXIT(3, "b\n")),
                     "exit: exit status 0 there, exit status 3 here");
    ck_assert_str_eq(compare(EXIT(0, "a\nb\nc\n"), EXIT(0, "a\nB\nc\n")),
                     "console: line 2 is 'b' there, 'B' here");
    ck_assert_str_eq(compare(EXIT(0, "a\n"), EXIT(0, "a\n\033b\n")),
                     "console: line 2, '\\x1bb', is only here");
    ck_assert_str_eq(compare(EXIT(0, "a\nb\n"), EXIT(0, "a\n")),
                     "console: line 2, 'b', is only there");
    ck_assert_str_eq(compare(EXIT(0, ""), CUT("")), "exit: exit status 0 there, it ran on here");
    reasoned.reason = strdup("the kernel panicked\nwith a tail");
    other.reason = strdup("no boot\nwith a tail");
    ck_assert_str_eq(compare(reasoned, other),
                     "exit: it failed: the kernel panicked there, it failed: no boot here");
}
END_TEST

START_TEST(of_what_was_cut_the_beginning_counts)
{
    struct romsim_outcome tail = EXIT(0, "y\nz\n");

    ck_assert_str_eq(compare(CUT("a\nb"), CUT("a\nbcd\ne\n")), "");
    ck_assert_str_eq(compare(CUT("a\nb\n"), CUT("a\nb\n")), "");
    ck_assert_str_eq(compare(CUT("a\nb\n"), CUT("a\n")), "console: line 2, 'b', is only there");
    ck_assert_str_eq(compare(CUT("a\nb\n"), CUT("a\nbcd\n")),
                     "console: line 2 is 'b' there, 'bcd' here");
    tail.is_tail = true;
    ck_assert_str_eq(compare(tail, EXIT(0, "x\ny\nz\n")), "");
}
END_TEST

START_TEST(masks_replace_the_longest_and_pass_over_the_short)
{
    CLEANUP_MASKS struct romsim_masks masks = {0};
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1000);
    static const char from[] = "secret, secrets; key: abc, sec";

    ck_assert_int_eq(romsim_masks_add_variable(&masks, "A", "secret"), 0);
    ck_assert_int_eq(romsim_masks_add_variable(&masks, "B", "secrets"), 0);
    ck_assert_int_eq(romsim_masks_add_variable(&masks, "C", "abc"), 0);
    ck_assert_int_eq(romsim_masks_add_variable(&masks, "D", ""), 0);
    romsim_masks_apply(&masks, from, strlen(from), &text);
    ck_assert_str_eq(text.data, "[redacted A], [redacted B]; key: abc, sec");
}
END_TEST

/* ---- files -------------------------------------------------------------------------------- */

static struct romsim_blob *blob_of(const char *text)
{
    struct romsim_blob *blob = romsim_blob_from_bytes(text, strlen(text), NULL);

    ck_assert_ptr_nonnull(blob);
    return blob;
}

/* A ROM's image: 4096 bytes of something. */
static struct romsim_blob *image_of(char byte)
{
    char bytes[4096];

    memset(bytes, byte, sizeof(bytes));
    return romsim_blob_from_bytes(bytes, sizeof(bytes), NULL);
}

struct made {
    struct romsim_blob *archive;
    size_t warnings;
};

#define SECRET "hunter2-and-more"

/* A case of an instance with two ROMs and a secret, with these changes of the draft. */
static struct made make(bool with_root, bool with_env, bool without_inline)
{
    static const char request[] =
        "{\"name\":\"i\",\"image\":\"my-org/app:1\",\"env\":{\"TOKEN\":\"" SECRET
        "\",\"N\":\"1\"},\"roms\":[{\"name\":\"code\",\"image\":\"my-org/rom:1\"},{\"name\":\"in\","
        "\"at\":\"/in\",\"files\":[{\"path\":\"f\",\"data\":\"the contents\"}]}]}";
    CLEANUP_BLOB struct romsim_blob *root = image_of('r'), *code = image_of('c'),
                                    *in = image_of('i');
    const struct romsim_case_rom roms[] = {
        {.device = "ukp_rom1", .name = "code", .source = "my-org/rom:1", .blob = code},
        {.device = "ukp_rom2",
         .name = "in",
         .at = "/in",
         .source = "inline",
         .is_inline = true,
         .blob = in}};
    struct romsim_strings args = {0}, env = {0}, faults = {0};
    struct romsim_outcome happened = EXIT(3, "TOKEN is " SECRET "\nI am i-x7f3k\n");
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_case_draft draft = {.request = json_loads(request, 0, NULL),
                                      .image = "my-org/app:1",
                                      .root = root,
                                      .args = &args,
                                      .env = &env,
                                      .working_dir = "/",
                                      .roms = roms,
                                      .rom_count = 2,
                                      .limits = &romsim_limits_default,
                                      .faults = &faults,
                                      .versions = json_pack("{s:s}", "QEMU", "7.2"),
                                      .random_name = "i-x7f3k",
                                      .outcome = &happened,
                                      .with_root = with_root,
                                      .with_env = with_env,
                                      .without_inline = without_inline};
    struct romsim_error err = {0};
    struct made made = {0};
    int fd = memfd_create("case", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    romsim_strings_append(&args, "/bin/app");
    romsim_strings_append(&env, "PATH=/bin");
    romsim_strings_append(&env, "TOKEN=" SECRET);
    romsim_strings_append(&faults, "rom=code,read=eio,seed=7");
    ck_assert_ptr_nonnull(draft.request);
    ck_assert_msg(romsim_case_write(&draft, fd, &diagnostics, &err) == 0, "%s", err.message);
    made.warnings = diagnostics.warnings;
    made.archive = romsim_blob_take_fd(fd, &err);
    ck_assert_msg(made.archive != NULL, "%s", err.message);
    romsim_diagnostics_clear(&diagnostics);
    romsim_outcome_clear(&happened);
    romsim_strings_clear(&args);
    romsim_strings_clear(&env);
    romsim_strings_clear(&faults);
    json_decref(draft.request);
    json_decref(draft.versions);
    return made;
}

static bool contains(const struct romsim_blob *archive, const char *text)
{
    struct romsim_parts parts = {0};
    bool found = false;

    ck_assert_int_eq(romsim_parts_read((struct romsim_blob *)archive, "x", &parts, NULL), 0);
    for (size_t i = 0; i < parts.count; i++)
        found |= memmem(romsim_blob_bytes(parts.items[i].blob),
                        romsim_blob_size(parts.items[i].blob), text, strlen(text)) != NULL;
    romsim_parts_clear(&parts);
    return found;
}

START_TEST(a_case_is_read_as_it_was_written_and_has_no_secret)
{
    struct made one = make(true, false, false), other = make(true, false, false);
    struct romsim_error err = {0};
    CLEANUP_CASE struct romsim_case *opened = romsim_case_read(one.archive, "x", &err);

    ck_assert_msg(opened != NULL, "%s", err.message);
    ck_assert_str_eq(romsim_blob_sha256_hex(one.archive), romsim_blob_sha256_hex(other.archive));
    ck_assert(!contains(one.archive, SECRET));
    ck_assert(!contains(one.archive, "x7f3k"));
    ck_assert_uint_eq(opened->rom_count, 2);
    ck_assert_str_eq(opened->roms[1].name, "in");
    ck_assert(opened->roms[1].is_inline);
    ck_assert_uint_eq(romsim_blob_size(opened->roms[0].blob), 4096);
    ck_assert_ptr_nonnull(opened->root.blob);
    ck_assert_str_eq(opened->args.items[0], "/bin/app");
    ck_assert_uint_eq(opened->env.count, 1);
    ck_assert_str_eq(opened->env.items[0], "PATH=/bin");
    ck_assert_uint_eq(opened->redacted.count, 2);
    ck_assert_str_eq(opened->faults.items[0], "rom=code,read=eio,seed=7");
    ck_assert_int_eq(opened->outcome.status, 3);
    ck_assert_str_eq(opened->outcome.console.data, "TOKEN is [redacted TOKEN]\nI am {name}\n");
    romsim_blob_unref(one.archive);
    romsim_blob_unref(other.archive);
}
END_TEST

START_TEST(what_is_to_be_in_it_or_not_is)
{
    struct made with = make(false, true, false), without = make(false, false, true);
    CLEANUP_CASE struct romsim_case *opened = romsim_case_read(without.archive, "x", NULL);

    ck_assert(contains(with.archive, SECRET));
    ck_assert(contains(with.archive, "the contents"));
    ck_assert(!contains(without.archive, "the contents"));
    ck_assert(!contains(without.archive, "iiiiiiii"));
    ck_assert(!contains(without.archive, "rrrrrrrr"));
    ck_assert_ptr_nonnull(opened);
    ck_assert_ptr_null(opened->root.blob);
    ck_assert_ptr_null(opened->roms[1].blob);
    ck_assert_ptr_nonnull(opened->roms[0].blob);
    ck_assert_uint_eq(with.warnings + without.warnings, 0);
    romsim_blob_unref(with.archive);
    romsim_blob_unref(without.archive);
}
END_TEST

/* ---- files that are none ------------------------------------------------------------------ */

/* The parts of a good case, one of which is changed or missing (NULL), written again. */
static const char *refusal(const char *part, const char *from, const char *to)
{
    static struct romsim_error err;
    struct made good = make(true, false, false);
    struct romsim_parts parts = {0}, changed = {0};
    int fd = memfd_create("case", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    CLEANUP_BLOB struct romsim_blob *archive = NULL;
    CLEANUP_CASE struct romsim_case *opened = NULL;

    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(romsim_parts_read(good.archive, "x", &parts, NULL), 0);
    for (size_t i = 0; i < parts.count; i++) {
        const struct romsim_part *old = &parts.items[i];
        CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);
        CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_ref(old->blob);
        const char *place;

        if (strcmp(old->name, part) == 0 && !from)
            continue;
        romsim_buffer_append(&text, romsim_blob_bytes(blob), romsim_blob_size(blob));
        if (strcmp(old->name, part) == 0) {
            place = strstr(text.data, from);
            ck_assert_msg(place != NULL, "no '%s' in %s", from, part);
            {
                CLEANUP_BUFFER struct romsim_buffer other = ROMSIM_BUFFER_INIT(1 << 20);

                romsim_buffer_append(&other, text.data, (size_t)(place - text.data));
                romsim_buffer_puts(&other, to);
                romsim_buffer_puts(&other, place + strlen(from));
                romsim_blob_unref(blob);
                blob = romsim_blob_from_bytes(other.data, other.size, NULL);
            }
        }
        ck_assert_int_eq(romsim_parts_add(&changed, old->name, blob, NULL), 0);
    }
    ck_assert_int_eq(romsim_parts_write(&changed, fd, NULL), 0);
    archive = romsim_blob_take_fd(fd, NULL);
    opened = romsim_case_read(archive, "x", &err);
    romsim_parts_clear(&parts);
    romsim_parts_clear(&changed);
    romsim_blob_unref(good.archive);
    return opened ? "" : err.message;
}

START_TEST(what_is_no_case_is_refused_with_what_is_wrong)
{
    static const struct {
        const char *part, *from, *to, *message;
    } bad[] = {
        {CASE_HEAD, NULL, NULL, "it has no 'case.json'"},
        {CASE_REQUEST, NULL, NULL, "case.json tells of 5 parts, and there are 4"},
        {"roms/code.rom", "c", "d", "'roms/code.rom' has not the digest"},
        {CASE_CONSOLE, "TOKEN", "OTHER", "'console.log' has not the digest"},
        {CASE_HEAD, "\"romsim_case\": 1", "\"romsim_case\": 2", "a case of version 2"},
        {CASE_HEAD, "\"romsim_case\": 1", "\"romsim_case\": \"1\"", "case.json is none"},
        {CASE_HEAD, "{", "[", "case.json is none"},
        {CASE_HEAD, "\"part\": \"roms/code.rom\"", "\"part\": \"roms/in.rom\"",
         "'roms/in.rom' is another image"},
        {CASE_HEAD, "\"part\": \"roms/code.rom\"", "\"part\": \"../../etc/passwd\"",
         "it has no '../../etc/passwd'"},
        {CASE_HEAD, "\"part\": \"roms/code.rom\"", "\"part\": 7", "part has no name"},
        {CASE_HEAD, "\"size\": 4096", "\"size\": -1", "no size"},
        {CASE_HEAD, "\"size\": 4096", "\"size\": 8192", "is another image"},
        {CASE_HEAD, "\"digest\": \"sha256:", "\"digest\": \"sha999:", "'digest' is no digest"},
        {CASE_HEAD, "\"end\": \"exit\"", "\"end\": \"later\"", "there is no end 'later'"},
        {CASE_HEAD, "\"exit_code\": 3", "\"exit_code\": 300", "no exit status"},
        {CASE_HEAD, "\"roms\": 8", "\"rams\": 8", "no limit in 'rams=8'"},
        {CASE_HEAD, "\"roms\": 8", "\"roms\": 1000000", "can be"},
        {CASE_HEAD, "\"device\": \"ukp_rom1\"", "\"device\": null", "'device' is no text"},
        {CASE_HEAD, "\"faults\": [", "\"faults\": [7,", "'faults' is no list of texts"},
        {CASE_HEAD, "\"working_dir\"", "\"where\"", "'working_dir' is no text"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *message;

        message = refusal(bad[i].part, bad[i].from, bad[i].to);
        ck_assert_msg(strstr(message, bad[i].message) != NULL, "%zu: '%s', not '%s'", i, message,
                      bad[i].message);
    }
    ck_assert_str_eq(refusal(CASE_HEAD, "\"romsim_case\": 1", "\"more\": [], \"romsim_case\": 1"),
                     "");
}
END_TEST

static const char *tar_refusal(struct tar *tar)
{
    static struct romsim_error err;
    CLEANUP_BLOB struct romsim_blob *archive = tar_blob(tar);
    CLEANUP_PARTS struct romsim_parts parts = {0};

    memset(&err, 0, sizeof(err));
    return romsim_parts_read(archive, "x", &parts, &err) == 0 ? "" : err.message;
}

START_TEST(hostile_tars_are_refused)
{
    struct tar tar = TAR_INIT;

    tar_directory(&tar, "./");
    tar_directory(&tar, "./roms/");
    tar_file(&tar, "./roms/code.erofs", "x");
    ck_assert_str_eq(tar_refusal(&tar), "");
    tar_file(&tar, "../evil", "x");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "'../evil' can be no name"));
    tar_file(&tar, "/etc/passwd", "x");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "can be no name"));
    tar_file(&tar, "a/../../b", "x");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "can be no name"));
    tar_file(&tar, "a\033[2J", "x");
    ck_assert_ptr_null(strchr(tar_refusal(&tar), '\033'));
    tar_symlink(&tar, "case.json", "/etc/passwd");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "no regular file"));
    tar_file(&tar, "one", "x");
    tar_link(&tar, "two", "one");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "no regular file"));
    tar_header(&tar, "fifo", '6', "", 0644, "00000000000");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "no regular file"));
    tar_file(&tar, "twice", "x");
    tar_file(&tar, "./twice", "y");
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "two parts 'twice'"));
    tar_header(&tar, "short", '0', "", 0644, "00000077777");
    ck_assert_str_ne(tar_refusal(&tar), "");
    for (unsigned i = 0; i <= ROMSIM_PARTS_MAX; i++) {
        char name[16];

        snprintf(name, sizeof(name), "part%u", i);
        tar_file(&tar, name, "x");
    }
    ck_assert_ptr_nonnull(strstr(tar_refusal(&tar), "more than 256 parts"));
}
END_TEST

/* A file of zeros, which compresses to next to nothing. */
START_TEST(a_bomb_is_refused_before_it_is_unpacked)
{
    int fd = memfd_create("zeros", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    int packed = memfd_create("bomb", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    CLEANUP_BLOB struct romsim_blob *zeros = NULL, *bomb = NULL;
    CLEANUP_PARTS struct romsim_parts parts = {0}, read_back = {0};
    struct romsim_error err = {0};

    ck_assert_int_eq(ftruncate(fd, 512 << 20), 0);
    zeros = romsim_blob_take_fd(fd, NULL);
    ck_assert_int_eq(romsim_parts_add(&parts, "zeros", zeros, NULL), 0);
    ck_assert_int_eq(romsim_parts_write(&parts, packed, NULL), 0);
    bomb = romsim_blob_take_fd(packed, NULL);
    ck_assert_uint_lt(romsim_blob_size(bomb), 1 << 20);
    ck_assert_int_lt(romsim_parts_read(bomb, "x", &read_back, &err), 0);
    ck_assert_int_eq(err.errnum, EFBIG);
    ck_assert_ptr_nonnull(strstr(err.hint, "unpack-bytes"));
}
END_TEST

/* ---- having it again ---------------------------------------------------------------------- */

/* The request of a case with another text in it, restored: the first error. */
static const char *restore_refusal(const char *from, const char *to)
{
    static char message[1100];
    struct made good = make(true, false, false);
    CLEANUP_CASE struct romsim_case *opened = romsim_case_read(good.archive, "x", NULL);
    const struct romsim_strings none = {0};
    const struct romsim_case_choice choice = {.roms = &none, .env = &none, .keeps_name = true};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instance *instance = NULL;
    CLEANUP_FREE char *text = NULL;
    struct romsim_layout *layout;
    const char *place;
    char *changed;

    ck_assert_ptr_nonnull(opened);
    text = strndup((const char *)romsim_blob_bytes(opened->request),
                   romsim_blob_size(opened->request));
    place = strstr(text, from);
    ck_assert_msg(place != NULL, "no '%s' in %s", from, text);
    ck_assert_int_ge(
        asprintf(&changed, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from)), 0);
    romsim_blob_unref(opened->request);
    opened->request = blob_of(changed);
    free(changed);
    layout = romsim_case_restore(opened, &choice, &instance, &diagnostics);
    message[0] = '\0';
    for (size_t i = diagnostics.count; i-- > 0;)
        if (!diagnostics.entries[i].is_warning)
            snprintf(message, sizeof(message), "%s", diagnostics.entries[i].error.message);
    romsim_diagnostics_clear(&diagnostics);
    ck_assert_msg(!layout == (message[0] != '\0'), "%s", message);
    romsim_layout_free(layout);
    romsim_instance_free(instance);
    romsim_blob_unref(good.archive);
    return message;
}

START_TEST(a_request_in_a_case_names_nothing_of_this_machine)
{
    ck_assert_ptr_nonnull(
        strstr(restore_refusal("\"files\": [", "\"dir\": \"/etc\", \"x\": ["), "dir"));
    ck_assert_ptr_nonnull(strstr(
        restore_refusal("\"name\": \"i\"", "\"name\": \"i\", \"template\": {\"name\":\"t\"}"),
        "template"));
    ck_assert_ptr_nonnull(strstr(restore_refusal("{", "[{}, {"), ""));
    ck_assert_ptr_nonnull(strstr(restore_refusal("\"roms\": [", "\"roms\": [{\"name\":\"more\","
                                                                "\"image\":\"a/b\"},"),
                                 "its request has 3 ROMs"));
}
END_TEST

START_TEST(a_fault_takes_no_file_of_this_machine)
{
    const struct romsim_case_rom roms[] = {{.device = "ukp_rom1", .name = "code"},
                                           {.device = "ukp_rom2", .name = "old"}};
    struct romsim_faults *faults = romsim_faults_new();
    struct romsim_strings texts = {0};
    struct romsim_error err = {0};

    romsim_strings_append(&texts, "rom=code,swap=old");
    romsim_strings_append(&texts, "rom=code,swap=ukp_rom_old,latency=1ms");
    ck_assert_int_eq(romsim_case_faults(&texts, roms, 2, faults, &err), 0);
    ck_assert_uint_eq(romsim_faults_count(faults), 2);
    romsim_strings_append(&texts, "rom=code,swap=/etc/passwd");
    ck_assert_int_lt(romsim_case_faults(&texts, roms, 2, faults, &err), 0);
    ck_assert_int_eq(err.errnum, ENOTSUP);
    romsim_strings_clear(&texts);
    romsim_faults_free(faults);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("case");

    tcase_set_timeout(tcase, 300);
    tcase_add_unchecked_fixture(tcase, tars_enter, tars_leave);
    tcase_add_test(tcase, a_trace_is_the_same_whenever_and_however_it_was_read);
    tcase_add_test(tcase, what_one_read_and_the_other_did_not_is_named);
    tcase_add_test(tcase, lines_of_others_and_of_nothing_are_passed_over);
    tcase_add_test(tcase, the_first_difference_is_told);
    tcase_add_test(tcase, of_what_was_cut_the_beginning_counts);
    tcase_add_test(tcase, masks_replace_the_longest_and_pass_over_the_short);
    tcase_add_test(tcase, a_case_is_read_as_it_was_written_and_has_no_secret);
    tcase_add_test(tcase, what_is_to_be_in_it_or_not_is);
    tcase_add_test(tcase, what_is_no_case_is_refused_with_what_is_wrong);
    tcase_add_test(tcase, hostile_tars_are_refused);
    tcase_add_test(tcase, a_bomb_is_refused_before_it_is_unpacked);
    tcase_add_test(tcase, a_request_in_a_case_names_nothing_of_this_machine);
    tcase_add_test(tcase, a_fault_takes_no_file_of_this_machine);
    return unit_run_case("case", tcase);
}
