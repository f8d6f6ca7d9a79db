/* SPDX-License-Identifier: BSD-3-Clause */
/* template.c: the store of templates: what is whole is there, what is not leaves nothing. */
#include "harness.h"

#include <romsim/blob.h>
#include <romsim/paths.h>
#include <romsim/template.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char data[] = "/tmp/romsim-unit-template.XXXXXX";
static struct romsim_error err;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(data));
    ck_assert_int_eq(setenv("XDG_DATA_HOME", data, 1), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(romsim_path_remove_tree(data, NULL), 0);
}

static struct romsim_template_draft *draft_of(const char *name)
{
    static const char image[4096] = "root";
    struct romsim_template_draft *draft =
        romsim_template_draft(ROMSIM_SAVED_TEMPLATE, name, NULL, &err);
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(image, sizeof(image), &err);
    static const char *const files[] = {"memory", "state"};

    ck_assert_msg(draft != NULL, "%s", err.message);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int fd = romsim_template_draft_file(draft, files[i], &err);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, files[i], strlen(files[i])), (ssize_t)strlen(files[i]));
        close(fd);
    }
    ck_assert_int_eq(romsim_template_draft_drive(draft, blob, &err), 0);
    return draft;
}

static int finish(struct romsim_template_draft *draft)
{
    int status = romsim_template_draft_finish(draft, json_pack("{s:s}", "of", "test"), &err);

    romsim_template_draft_free(draft);
    return status;
}

static size_t count_drafts(void)
{
    char command[128];
    unsigned long count = 99;
    FILE *list;

    snprintf(command, sizeof(command), "ls %s/romsim/templates/new | wc -l", data);
    list = popen(command, "r");
    ck_assert_ptr_nonnull(list);
    ck_assert_int_eq(fscanf(list, "%lu", &count), 1);
    pclose(list);
    return count;
}

START_TEST(a_whole_one_is_found_by_name_and_uuid)
{
    char uuid[ROMSIM_UUID_SIZE], text[16] = "";

    ck_assert_int_eq(finish(draft_of("one")), 0);
    {
        CLEANUP_TEMPLATE struct romsim_template *one =
            romsim_template_open(ROMSIM_SAVED_TEMPLATE, "one", NULL, &err);

        ck_assert_msg(one != NULL, "%s", err.message);
        ck_assert_str_eq(one->name, "one");
        ck_assert_str_eq(json_string_value(json_object_get(one->record, "of")), "test");
        ck_assert_uint_eq(one->drive_count, 1);
        ck_assert_str_eq((const char *)romsim_blob_bytes(one->drives[0]), "root");
        ck_assert_int_eq(read(one->state, text, sizeof(text)), 5);
        ck_assert_str_eq(text, "state");
        memcpy(uuid, one->uuid, sizeof(uuid));
    }
    CLEANUP_TEMPLATE struct romsim_template *same =
        romsim_template_open(ROMSIM_SAVED_TEMPLATE, NULL, uuid, &err);

    ck_assert_ptr_nonnull(same);
    ck_assert_str_eq(same->name, "one");
}
END_TEST

START_TEST(a_name_is_given_once)
{
    struct romsim_template_draft *first = draft_of("name"), *second = draft_of("name");

    ck_assert_int_eq(finish(first), 0);
    ck_assert_int_eq(finish(second), -1);
    ck_assert_int_eq(err.errnum, EEXIST);
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_ALREADY_EXISTS);
    ck_assert_ptr_null(romsim_template_draft(ROMSIM_SAVED_TEMPLATE, "name", NULL, &err));
    ck_assert_int_eq(err.errnum, EEXIST);
    ck_assert_ptr_null(romsim_template_draft(ROMSIM_SAVED_TEMPLATE, "../x", NULL, &err));
    ck_assert_int_eq(err.errnum, EINVAL);
    ck_assert_uint_eq(count_drafts(), 0);
}
END_TEST

START_TEST(one_that_is_removed_lives_on_in_its_users)
{
    CLEANUP_TEMPLATE struct romsim_template *template = NULL;
    char text[16] = "";

    ck_assert_int_eq(finish(draft_of("gone")), 0);
    template = romsim_template_open(ROMSIM_SAVED_TEMPLATE, "gone", NULL, &err);
    ck_assert_ptr_nonnull(template);
    ck_assert_int_eq(romsim_template_remove(ROMSIM_SAVED_TEMPLATE, "gone", &err), 0);
    ck_assert_ptr_null(romsim_template_open(ROMSIM_SAVED_TEMPLATE, "gone", NULL, &err));
    ck_assert_int_eq(err.cloud, ROMSIM_CLOUD_NOT_FOUND);
    ck_assert_int_eq(romsim_template_remove(ROMSIM_SAVED_TEMPLATE, "gone", &err), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
    ck_assert_int_eq(pread(template->memory, text, sizeof(text), 0), 6);
    ck_assert_str_eq(text, "memory");
    ck_assert_uint_eq(count_drafts(), 0);
}
END_TEST

START_TEST(what_a_killed_process_leaves_is_swept_and_what_lives_is_not)
{
    struct romsim_template_draft *mine;
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        draft_of("killed");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_uint_eq(count_drafts(), 1);
    mine = draft_of("mine");
    ck_assert_uint_eq(count_drafts(), 1);
    ck_assert_int_eq(finish(draft_of("other")), 0);
    ck_assert_int_eq(finish(mine), 0);
    ck_assert_uint_eq(count_drafts(), 0);
}
END_TEST

START_TEST(its_properties_change_and_nothing_else)
{
    CLEANUP_TEMPLATE struct romsim_template *template = NULL;

    ck_assert_int_eq(finish(draft_of("one")), 0);
    ck_assert_int_eq(romsim_template_set_properties(ROMSIM_SAVED_TEMPLATE, "one",
                                                    json_pack("{s:b}", "delete_lock", 1), &err),
                     0);
    template = romsim_template_open(ROMSIM_SAVED_TEMPLATE, "one", NULL, &err);
    ck_assert_ptr_nonnull(template);
    ck_assert(json_is_true(
        json_object_get(json_object_get(template->record, "properties"), "delete_lock")));
    ck_assert_str_eq(json_string_value(json_object_get(template->record, "of")), "test");
    ck_assert_int_eq(
        romsim_template_set_properties(ROMSIM_SAVED_TEMPLATE, "two", json_object(), &err), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
    ck_assert_int_eq(
        romsim_template_set_properties(ROMSIM_SAVED_TEMPLATE, "../one", json_object(), &err), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
}
END_TEST

static void count_complaint(void *context, const struct romsim_error *error)
{
    ck_assert_ptr_nonnull(strstr(error->message, "damaged"));
    ++*(int *)context;
}

START_TEST(a_damaged_one_is_told_and_passed_over)
{
    static const char *const records[] = {"", "[]", "{\"uuid\": 7}", "{\"uuid\": \"x\"}"};
    CLEANUP_TEMPLATES struct romsim_templates all = {0};
    int complaints = 0;

    ck_assert_int_eq(finish(draft_of("sound")), 0);
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        char name[16], path[256];
        FILE *file;

        snprintf(name, sizeof(name), "bad%zu", i);
        ck_assert_int_eq(finish(draft_of(name)), 0);
        snprintf(path, sizeof(path), "%s/romsim/templates/ready/%s/template.json", data, name);
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fputs(records[i], file);
        fclose(file);
        ck_assert_ptr_null(romsim_template_open(ROMSIM_SAVED_TEMPLATE, name, NULL, &err));
        ck_assert_int_eq(err.errnum, EUCLEAN);
    }
    ck_assert_int_eq(
        romsim_template_list(ROMSIM_SAVED_TEMPLATE, &all, count_complaint, &complaints, &err), 0);
    ck_assert_uint_eq(all.count, 1);
    ck_assert_int_eq(complaints, 4);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_whole_one_is_found_by_name_and_uuid,
        a_name_is_given_once,
        one_that_is_removed_lives_on_in_its_users,
        its_properties_change_and_nothing_else,
        what_a_killed_process_leaves_is_swept_and_what_lives_is_not,
        a_damaged_one_is_told_and_passed_over,
    };
    TCase *tcase = tcase_create("template");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("template", tcase);
}
