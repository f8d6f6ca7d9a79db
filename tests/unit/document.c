/* SPDX-License-Identifier: BSD-3-Clause */
/* document.c: YAML and JSON as nodes with places; shapes, and what is rendered by them. */
#include "harness.h"

#include <romsim/json.h>
#include <romsim/schema.h>

#include <jansson.h>

static struct romsim_diagnostics diagnostics;

/* Reads a text, which must have one root; what is wrong with it is in `diagnostics`. */
static const struct romsim_node *read_text(const char *text, struct romsim_document **ret)
{
    romsim_diagnostics_clear(&diagnostics);
    *ret = romsim_document_new("a.yaml", text, strlen(text));
    ck_assert_ptr_nonnull(*ret);
    romsim_document_read(*ret, &diagnostics);
    ck_assert_uint_eq(romsim_document_root_count(*ret), 1);
    return romsim_document_root(*ret, 0);
}

static void expect(size_t index, unsigned line, unsigned column, const char *message)
{
    const struct romsim_error *error;

    ck_assert_uint_gt(diagnostics.count, index);
    error = &diagnostics.entries[index].error;
    ck_assert_str_eq(error->message, message);
    ck_assert_uint_eq(error->place.line, line);
    ck_assert_uint_eq(error->place.column, column);
}

START_TEST(yaml_and_json_become_the_same_nodes)
{
    static const char *const texts[] = {"a: [1, x, true, null]\nb: {c: ''}\n",
                                        "{\"a\": [1, \"x\", true, null], \"b\": {\"c\": \"\"}}"};

    for (size_t i = 0; i < 2; i++) {
        CLEANUP_DOCUMENT struct romsim_document *document = NULL;
        const struct romsim_node *root = read_text(texts[i], &document);
        const struct romsim_node *list = romsim_node_member(root, "a");
        static const enum romsim_node_kind kinds[] = {ROMSIM_NODE_NUMBER, ROMSIM_NODE_STRING,
                                                      ROMSIM_NODE_BOOLEAN, ROMSIM_NODE_NULL};

        ck_assert_uint_eq(diagnostics.count, 0);
        ck_assert_uint_eq(list->count, 4);
        for (size_t j = 0; j < 4; j++)
            ck_assert_uint_eq(list->items[j].value->kind, kinds[j]);
        ck_assert(romsim_node_is_true(list->items[2].value));
        ck_assert_str_eq(romsim_node_text(romsim_node_member(romsim_node_member(root, "b"), "c")),
                         "");
        ck_assert_uint_eq(root->weight, 11);
        ck_assert_uint_eq(root->height, 2);
    }
}
END_TEST

START_TEST(what_is_absent_and_what_is_null)
{
    CLEANUP_DOCUMENT struct romsim_document *document = NULL;
    const struct romsim_node *root = read_text("a:\nb: 'x\\0y'\nc: \"x\\0y\"\n", &document);

    ck_assert_ptr_null(romsim_node_member(root, "d"));
    ck_assert_ptr_nonnull(romsim_node_member(root, "a"));
    ck_assert_ptr_null(romsim_node_present(root, "a"));
    ck_assert_ptr_null(romsim_node_member(romsim_node_member(root, "b"), "a"));
    ck_assert_str_eq(romsim_node_text(romsim_node_member(root, "b")), "x\\0y");
    ck_assert_ptr_null(romsim_node_text(romsim_node_member(root, "c")));
    ck_assert_ptr_null(romsim_node_text(NULL));
}
END_TEST

START_TEST(whole_numbers_of_64_bits)
{
    static const struct {
        const char *text;
        int status;
        bool negative;
        uint64_t magnitude;
    } numbers[] = {{"0x10", 1, false, 16},
                   {"0o17", 1, false, 15},
                   {"-0", 1, false, 0},
                   {"-7", 1, true, 7},
                   {"18446744073709551615", 1, false, UINT64_MAX},
                   {"18446744073709551616", -1, false, 0},
                   {"1.5", 0, false, 0},
                   {"'1'", 0, false, 0}};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        CLEANUP_DOCUMENT struct romsim_document *document = NULL;
        const struct romsim_node *root = read_text(numbers[i].text, &document);
        bool negative = false;
        uint64_t magnitude = 0;

        ck_assert_int_eq(romsim_node_integer(root, &negative, &magnitude), numbers[i].status);
        ck_assert_uint_eq(negative, numbers[i].negative);
        ck_assert_uint_eq(magnitude, numbers[i].magnitude);
    }
}
END_TEST

START_TEST(columns_count_characters_and_an_excerpt_has_a_caret)
{
    CLEANUP_DOCUMENT struct romsim_document *document = NULL;
    const struct romsim_node *root = read_text("\xef\xbb\xbf# ü\nnäme: wört\n", &document);
    struct romsim_place place;

    romsim_document_place(document, romsim_node_member(root, "näme")->offset, &place);
    ck_assert_str_eq(place.file, "a.yaml");
    ck_assert_uint_eq(place.line, 2);
    ck_assert_uint_eq(place.column, 7);
    ck_assert_str_eq(place.excerpt, "näme: wört");
    ck_assert_uint_eq(place.caret, 7);
}
END_TEST

/* Each level refers ten times to the one before: 10^9 values, of which none is made. */
START_TEST(an_alias_bomb_is_weighed_and_refused)
{
    static const char bomb[] =
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
        "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
        "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
        "h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"
        "i: [*h,*h,*h,*h,*h,*h,*h,*h,*h,*h]\n";
    CLEANUP_DOCUMENT struct romsim_document *document =
        romsim_document_new("a.yaml", bomb, sizeof(bomb) - 1);

    romsim_diagnostics_clear(&diagnostics);
    romsim_document_read(document, &diagnostics);
    ck_assert_uint_eq(romsim_document_root_count(document), 0);
    ck_assert_uint_eq(diagnostics.errors, 1);
    ck_assert_ptr_nonnull(strstr(diagnostics.entries[0].error.message, "aliases expanded"));
}
END_TEST

START_TEST(of_two_members_the_last_counts_only_where_it_may)
{
    static const char text[] = "a: 1\nb: 2\na: 3\n";
    CLEANUP_DOCUMENT struct romsim_document *strict = NULL;
    CLEANUP_DOCUMENT struct romsim_document *lenient =
        romsim_document_new("a.yaml", text, strlen(text));

    read_text(text, &strict);
    ck_assert_uint_eq(diagnostics.errors, 1);
    expect(0, 3, 1, "Duplicate member 'a'");

    romsim_diagnostics_clear(&diagnostics);
    romsim_document_let_last_win(lenient);
    romsim_document_read(lenient, &diagnostics);
    ck_assert_uint_eq(diagnostics.errors, 0);
    ck_assert_uint_eq(diagnostics.warnings, 1);
    ck_assert_uint_eq(romsim_document_root(lenient, 0)->count, 2);
    ck_assert_str_eq(romsim_node_text(romsim_node_member(romsim_document_root(lenient, 0), "a")),
                     "3");
}
END_TEST

START_TEST(flow_yaml_knows_what_json_finds_wrong_with_it)
{
    CLEANUP_DOCUMENT struct romsim_document *flow = NULL, *json = NULL;
    size_t offset = 0;

    read_text("{a: 1}", &flow);
    ck_assert_ptr_nonnull(romsim_document_json_mistake(flow, &offset));
    ck_assert_uint_eq(offset, 1);
    read_text("{\"a\": 1}", &json);
    ck_assert_ptr_null(romsim_document_json_mistake(json, &offset));
}
END_TEST

/* ---- shapes ------------------------------------------------------------------------------ */

static const struct romsim_shape string = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape port = {
    .kind = ROMSIM_SHAPE_INTEGER, .minimum = 1, .maximum = 65535};
static const struct romsim_shape colour = {.kind = ROMSIM_SHAPE_WORD,
                                           .words = ROMSIM_WORDS("red", "green")};
static const struct romsim_shape ports = {.kind = ROMSIM_SHAPE_LIST, .item = &port};
static const struct romsim_shape map = {.kind = ROMSIM_SHAPE_MAP, .item = &string};
static const struct romsim_member members[] = {
    {"name", &string, ROMSIM_MEMBER_REQUIRED, NULL},
    {"ports", &ports, 0, NULL},
    {"colour", &colour, ROMSIM_MEMBER_IDLE, "red"},
    {"env", &map, 0, NULL},
    ROMSIM_END,
};
static const struct romsim_shape thing = {.kind = ROMSIM_SHAPE_OBJECT, .members = members};
static const struct romsim_synonym synonyms[] = {{"environment", "env"}, {NULL, NULL}};

/* Compares a text with the shape; returns its JSON, which is released with free(). */
static char *compare(const char *text, char *ret_idle, size_t idle_size)
{
    CLEANUP_DOCUMENT struct romsim_document *document = NULL;
    const struct romsim_node *root = read_text(text, &document);
    struct romsim_schema schema = {.document = document,
                                   .diagnostics = &diagnostics,
                                   .subject = "A thing",
                                   .synonyms = synonyms};
    json_t *json;
    char *rendered;

    romsim_schema_check(&schema, root, &thing);
    snprintf(ret_idle, idle_size, "%s", schema.idle.data ? schema.idle.data : "");
    romsim_buffer_reset(&schema.idle);
    json = romsim_schema_json(root, &thing);
    rendered = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    ck_assert_ptr_nonnull(rendered);
    return rendered;
}

START_TEST(json_has_the_types_that_the_shape_wants)
{
    char idle[64];
    CLEANUP_FREE char *json =
        compare("name: 8080\nports: [0x50]\ncolour: green\nenv: {A: true, B: 1}\n", idle, 64);

    ck_assert_uint_eq(diagnostics.count, 0);
    ck_assert_str_eq(
        json, "{\"name\":\"8080\",\"ports\":[80],\"colour\":\"green\",\"env\":{\"A\":\"true\","
              "\"B\":\"1\"}}");
    ck_assert_str_eq(idle, "colour");
}
END_TEST

START_TEST(the_usual_value_of_an_idle_member_is_not_named)
{
    char idle[64];
    CLEANUP_FREE char *json = compare("name: x\ncolour: red\nports:\n", idle, 64);

    ck_assert_uint_eq(diagnostics.count, 0);
    ck_assert_str_eq(idle, "");
    ck_assert_str_eq(json, "{\"name\":\"x\",\"colour\":\"red\"}");
}
END_TEST

START_TEST(each_misfit_has_its_place)
{
    char idle[64];

    free(compare("ports: [80, 0, x]\ncolour: gren\nenvironment: {}\nenv: {A: []}\n", idle, 64));
    ck_assert_uint_eq(diagnostics.errors, 6);
    expect(0, 1, 13, "Invalid ports 0");
    expect(1, 1, 16, "Member 'ports[2]' must be a number, not a string");
    expect(2, 2, 9, "Invalid colour 'gren'");
    expect(3, 3, 1, "Unknown member 'environment'");
    ck_assert_str_eq(diagnostics.entries[3].error.hint, "did you mean 'env'?");
    expect(4, 4, 10, "Member 'env.A' must be a string, not a list");
    expect(5, 1, 1, "Missing member name");
}
END_TEST

START_TEST(the_root_is_named_by_the_subject)
{
    char idle[64];

    free(compare("[1, 2]", idle, 64));
    ck_assert_uint_eq(diagnostics.errors, 1);
    expect(0, 1, 1, "A thing must be an object, not a list");
}
END_TEST

/* ---- JSON out ----------------------------------------------------------------------------- */

/* Some of everything. */
static void write_json(struct romsim_json *json)
{
    json_t *value = json_loads("{\"a\": [1, 2.5, null, true, {}, []]}", 0, NULL);

    romsim_json_open(json, NULL, '[');
    romsim_json_value(json, NULL, value);
    romsim_json_value(json, NULL, NULL);
    romsim_json_open(json, NULL, '{');
    romsim_json_string(json, "text \"", "/\\\b\x1b\x7f ü\xe2\x80\xae\xff");
    romsim_json_bytes(json, "nul", "a\0b", 3);
    romsim_json_integer(json, "least", INT64_MIN);
    romsim_json_boolean(json, "no", false);
    romsim_json_base64(json, "bytes", "\0\1\2\3", 4);
    romsim_json_base64(json, "none", "", 0);
    romsim_json_close(json, '}');
    romsim_json_open(json, NULL, '{');
    romsim_json_close(json, '}');
    romsim_json_close(json, ']');
    romsim_json_end(json);
    json_decref(value);
}

START_TEST(json_is_written_and_counted_alike)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(4096);
    struct romsim_json written = {.text = &text}, counted = {0};

    write_json(&written);
    write_json(&counted);
    ck_assert_str_eq(text.data, "[\n"
                                "  {\n"
                                "    \"a\": [\n"
                                "      1,\n"
                                "      2.5,\n"
                                "      null,\n"
                                "      true,\n"
                                "      {},\n"
                                "      []\n"
                                "    ]\n"
                                "  },\n"
                                "  {\n"
                                "    \"text \\\"\": \"/\\\\\\b\\u001b\\u007f ü\\u202e\\ufffd\",\n"
                                "    \"nul\": \"a\\u0000b\",\n"
                                "    \"least\": -9223372036854775808,\n"
                                "    \"no\": false,\n"
                                "    \"bytes\": \"AAECAw==\",\n"
                                "    \"none\": \"\"\n"
                                "  },\n"
                                "  {}\n"
                                "]\n");
    ck_assert_uint_eq(written.size, text.size);
    ck_assert_uint_eq(counted.size, text.size);
}
END_TEST

UNIT_MAIN("document", json_is_written_and_counted_alike, yaml_and_json_become_the_same_nodes,
          what_is_absent_and_what_is_null, whole_numbers_of_64_bits,
          columns_count_characters_and_an_excerpt_has_a_caret, an_alias_bomb_is_weighed_and_refused,
          of_two_members_the_last_counts_only_where_it_may,
          flow_yaml_knows_what_json_finds_wrong_with_it, json_has_the_types_that_the_shape_wants,
          the_usual_value_of_an_idle_member_is_not_named, each_misfit_has_its_place,
          the_root_is_named_by_the_subject)
