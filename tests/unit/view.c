/* SPDX-License-Identifier: BSD-3-Clause */
/* view.c: a layout as one tree of nodes, without FUSE.  Over 600 lines: a third of it makes the
 * layouts that all tests share. */
#include "harness.h"

#include <romsim/view.h>

#include <romsim/erofs.h>
#include <romsim/tree.h>

#include <errno.h>
#include <sys/sysmacros.h>

/* ---- layouts made of small trees -------------------------------------------------------- */

enum { DEVICES_MAX = 10 };

/* A layout by hand: a root and ROMs, each from a list of what is in it. */
struct fixture {
    struct romsim_layout layout;
    struct romsim_device devices[DEVICES_MAX];
    struct romsim_mount mounts[DEVICES_MAX];
    struct romsim_view *view;
};

/* "dir/", "file=content", "link->target", "hard==existing", NULL-terminated. */
static void fill_tree(struct romsim_tree *tree, const char *const *entries)
{
    for (; *entries; entries++) {
        const char *mark = strpbrk(*entries, "=-");
        size_t path_size = mark ? (size_t)(mark - *entries) : strlen(*entries) - 1;
        CLEANUP_FREE char *path = strndup(*entries, path_size);
        struct romsim_inode *directory;
        struct romsim_dentry *dentry;
        const char *name;
        size_t size;

        ck_assert_int_eq(romsim_tree_walk(tree, path, ROMSIM_WALK_MAKE | ROMSIM_WALK_NO_FOLLOW,
                                          &directory, &name, &size, NULL),
                         0);
        if (mark && mark[0] == '=' && mark[1] == '=') {
            ck_assert_ptr_nonnull(romsim_tree_link(tree, directory, name, size,
                                                   romsim_tree_lookup(tree, mark + 2), NULL));
            continue;
        }
        dentry = romsim_tree_add(tree, directory, name, size,
                                 !mark            ? S_IFDIR | 0755
                                 : mark[0] == '=' ? S_IFREG | 0644
                                                  : S_IFLNK | 0777,
                                 NULL);
        ck_assert_ptr_nonnull(dentry);
        if (mark && mark[0] == '=')
            ck_assert_int_eq(
                romsim_inode_set_bytes(dentry->inode, mark + 1, strlen(mark + 1), NULL), 0);
        else if (mark)
            ck_assert_int_eq(
                romsim_inode_set_target(dentry->inode, mark + 2, strlen(mark + 2), NULL), 0);
    }
}

static struct romsim_blob *build(struct romsim_tree *tree)
{
    struct romsim_erofs_result ignored;
    struct romsim_blob *blob = romsim_erofs_build(tree, NULL, &ignored, NULL);

    ck_assert_ptr_nonnull(blob);
    return blob;
}

static struct romsim_blob *build_entries(const char *const *entries)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);

    fill_tree(tree, entries);
    return build(tree);
}

static struct romsim_device *add_device(struct fixture *fixture, struct romsim_blob *blob,
                                        enum romsim_image_kind kind, const char *name)
{
    unsigned index = (unsigned)fixture->layout.device_count++;
    struct romsim_device *device = &fixture->devices[index];

    fixture->layout.devices = fixture->devices;
    fixture->layout.mounts = fixture->mounts;
    *device = (struct romsim_device){.role = index ? ROMSIM_DEVICE_ROM : ROMSIM_DEVICE_ROOT,
                                     .index = index,
                                     .blob = blob,
                                     .kind = kind};
    snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_rom%u", index);
    if (name)
        snprintf(device->named_name, sizeof(device->named_name), "ukp_rom_%s", name);
    return device;
}

static void add_rom(struct fixture *fixture, const char *at, const char *name,
                    const char *const *entries)
{
    const struct romsim_device *device =
        add_device(fixture, build_entries(entries), ROMSIM_IMAGE_EROFS, name);

    if (at)
        fixture->mounts[fixture->layout.mount_count++] = (struct romsim_mount){
            .device = (size_t)(device - fixture->devices), .path = (char *)(uintptr_t)at};
}

#define ENTRIES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EMPTY        ((const char *const[]){NULL})

static void add_root(struct fixture *fixture, const char *const *entries)
{
    add_rom(fixture, NULL, NULL, entries);
}

static void look(struct fixture *fixture)
{
    struct romsim_error err;

    fixture->view = romsim_view_new(&fixture->layout, false, &err);
    ck_assert_msg(fixture->view != NULL, "%s", fixture->view ? "" : err.message);
}

static void release(struct fixture *fixture)
{
    romsim_view_free(fixture->view);
    for (size_t i = 0; i < fixture->layout.device_count; i++)
        romsim_blob_unref(fixture->devices[i].blob);
}

/* ---- questions -------------------------------------------------------------------------- */

/* The node of a path, links not followed; 0 if there is none. */
static uint64_t find(struct romsim_view *view, const char *path)
{
    CLEANUP_FREE char *copy = strdup(path);
    uint64_t node = ROMSIM_VIEW_ROOT;
    char *rest = copy;
    char *name;

    while ((name = strsep(&rest, "/")))
        if (*name && romsim_view_lookup(view, node, name, &node, NULL) != 1)
            return 0;
    return node;
}

/* The content of a file, or NULL. */
static char *content(struct romsim_view *view, const char *path)
{
    struct romsim_view_data data;
    char *text, *at;

    if (romsim_view_read(view, find(view, path), 0, 4096, &data, NULL) < 0)
        return NULL;
    at = text = calloc(1, data.size + 1);
    for (int i = 0; i < data.count; i++)
        at = mempcpy(at, data.pieces[i].iov_base, data.pieces[i].iov_len);
    romsim_view_data_release(&data);
    return text;
}

static void assert_content(struct romsim_view *view, const char *path, const char *wanted)
{
    CLEANUP_FREE char *text = content(view, path);

    ck_assert_msg(text && strcmp(text, wanted) == 0, "%s has '%s', not '%s'", path,
                  text ? text : "(nothing)", wanted);
}

/* The names in a directory, in order, with spaces between. */
static const char *list(struct romsim_view *view, const char *path)
{
    static char names[4096];
    static char scratch[ROMSIM_EROFS_BLOCK_MAX];
    struct romsim_view_entry entry;
    uint64_t cursor = 0, node = find(view, path);
    size_t used = 0;

    names[0] = '\0';
    while (romsim_view_readdir(view, node, cursor, &cursor, &entry, scratch, NULL) == 1)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.*s", used ? " " : "",
                                 (int)entry.name_size, entry.name);
    return names;
}

static struct stat status(struct romsim_view *view, const char *path)
{
    struct stat stat = {0};

    ck_assert_msg(romsim_view_stat(view, find(view, path), &stat, NULL) == 0, "%s", path);
    return stat;
}

/* Makes the view of a root with one ROM at `at`; fails as wanted. */
static void assert_refused(const char *at, int errnum, const char *message, const char *const *root)
{
    struct fixture f = {0};
    struct romsim_error err = {0};

    add_root(&f, root);
    add_rom(&f, at, "x", ENTRIES("f=rom"));
    f.view = romsim_view_new(&f.layout, false, &err);
    ck_assert_ptr_null(f.view);
    ck_assert_int_eq(err.errnum, errnum);
    ck_assert_str_eq(err.message, message);
    release(&f);
}

/* ---- what is where ---------------------------------------------------------------------- */

START_TEST(the_root_image_is_shown_with_dev_in_place_of_its_own)
{
    struct fixture f = {0};

    add_root(&f, ENTRIES("bin/sh=shell", "dev/console=x", "etc/passwd=root", "zz->etc"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/"), ". .. dev bin etc zz");
    ck_assert_str_eq(list(f.view, "/dev"), ". .. ukp_rom0");
    ck_assert_uint_eq(find(f.view, "/dev/console"), 0);
    assert_content(f.view, "/etc/passwd", "root");
    assert_content(f.view, "/bin/sh", "shell");
    ck_assert(S_ISLNK(status(f.view, "/zz").st_mode));
    release(&f);
}
END_TEST

START_TEST(a_root_without_dev_gets_one)
{
    struct fixture f = {0};

    add_root(&f, EMPTY);
    look(&f);
    ck_assert_str_eq(list(f.view, "/"), ". .. dev");
    ck_assert_uint_eq(status(f.view, "/").st_nlink, 3);
    release(&f);
}
END_TEST

START_TEST(devices_have_the_images_bytes_under_both_names)
{
    struct fixture f = {0};
    struct romsim_view_data data;
    struct stat stat;

    add_root(&f, EMPTY);
    add_rom(&f, NULL, "code.py", ENTRIES("a=1"));
    add_rom(&f, NULL, NULL, ENTRIES("b=2"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/dev"), ". .. ukp_rom0 ukp_rom1 ukp_rom_code.py ukp_rom2");
    stat = status(f.view, "/dev/ukp_rom1");
    ck_assert_uint_eq(stat.st_mode, S_IFREG | 0444);
    ck_assert_uint_eq(stat.st_nlink, 2);
    ck_assert_uint_eq(stat.st_size, romsim_blob_size(f.devices[1].blob));
    ck_assert_uint_eq(find(f.view, "/dev/ukp_rom1"), find(f.view, "/dev/ukp_rom_code.py"));
    ck_assert_uint_eq(status(f.view, "/dev/ukp_rom2").st_nlink, 1);
    ck_assert_int_eq(
        romsim_view_read(f.view, find(f.view, "/dev/ukp_rom1"), 1000, 1 << 20, &data, NULL), 0);
    ck_assert_uint_eq(data.size, romsim_blob_size(f.devices[1].blob) - 1000);
    ck_assert_ptr_eq(data.pieces[0].iov_base, romsim_blob_bytes(f.devices[1].blob) + 1000);
    romsim_view_data_release(&data);
    release(&f);
}
END_TEST

START_TEST(an_at_hides_what_the_directory_held)
{
    struct fixture f = {0};

    add_root(&f, ENTRIES("etc/app/old=old", "etc/hosts=h"));
    add_rom(&f, "/etc/app", "x", ENTRIES("new=new"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/etc"), ". .. app hosts");
    ck_assert_str_eq(list(f.view, "/etc/app"), ". .. new");
    assert_content(f.view, "/etc/app/new", "new");
    assert_content(f.view, "/etc/hosts", "h");
    ck_assert_uint_eq(find(f.view, "/etc/app/old"), 0);
    ck_assert_msg(status(f.view, "/etc").st_nlink == 4, "'app' was there: one link as before");
    release(&f);
}
END_TEST

START_TEST(missing_parents_of_an_at_are_made)
{
    struct fixture f = {0};
    struct stat stat;

    add_root(&f, ENTRIES("rom/here=1"));
    add_rom(&f, "/rom/a/b/c", "x", ENTRIES("f=rom"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/rom"), ". .. a here");
    ck_assert_str_eq(list(f.view, "/rom/a/b"), ". .. c");
    assert_content(f.view, "/rom/a/b/c/f", "rom");
    stat = status(f.view, "/rom/a/b");
    ck_assert_uint_eq(stat.st_mode, S_IFDIR | 0755);
    ck_assert_uint_eq(stat.st_nlink, 3);
    release(&f);
}
END_TEST

START_TEST(an_at_may_be_inside_of_another)
{
    struct fixture f = {0};

    add_root(&f, EMPTY);
    add_rom(&f, "/rom", "outer", ENTRIES("f=outer", "in/hidden=1", "in/ner/hidden=2"));
    add_rom(&f, "/rom/in/ner", "inner", ENTRIES("g=inner"));
    add_rom(&f, "/rom/new/place", "third", ENTRIES("h=third"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/rom"), ". .. in new f");
    ck_assert_str_eq(list(f.view, "/rom/in"), ". .. ner hidden");
    ck_assert_str_eq(list(f.view, "/rom/in/ner"), ". .. g");
    assert_content(f.view, "/rom/f", "outer");
    assert_content(f.view, "/rom/in/ner/g", "inner");
    assert_content(f.view, "/rom/new/place/h", "third");
    release(&f);
}
END_TEST

START_TEST(links_on_the_way_to_an_at_are_followed_inside_the_root)
{
    static const char *const ats[] = {"/rel/x/new", "/abs/x/new", "/up/x/new", "/chain/x/new",
                                      "/deep/x/new"};

    for (size_t i = 0; i < sizeof(ats) / sizeof(ats[0]); i++) {
        struct fixture f = {0};

        add_root(&f, ENTRIES("real/dir/kept=1", "rel->real/dir", "abs->/real/./dir/",
                             "up->../../real/dir/../dir", "chain->rel", "deep->/real//dir"));
        add_rom(&f, ats[i], "x", ENTRIES("f=rom"));
        look(&f);
        assert_content(f.view, "/real/dir/x/new/f", "rom");
        assert_content(f.view, "/real/dir/kept", "1");
        release(&f);
    }
}
END_TEST

START_TEST(a_link_as_the_last_name_of_an_at_is_followed_too)
{
    struct fixture f = {0};

    add_root(&f, ENTRIES("real/old=1", "app->real"));
    add_rom(&f, "/app", "x", ENTRIES("f=rom"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/real"), ". .. f");
    ck_assert(S_ISLNK(status(f.view, "/app").st_mode));
    release(&f);
}
END_TEST

START_TEST(an_at_that_cannot_be_is_refused)
{
    assert_refused("/etc/passwd", ENOTDIR,
                   "ukp_rom1 cannot be mounted at '/etc/passwd': 'passwd' is there, and not a "
                   "directory",
                   ENTRIES("etc/passwd=x"));
    assert_refused("/etc/passwd/x", ENOTDIR,
                   "ukp_rom1 cannot be mounted at '/etc/passwd/x': 'passwd' is there, and not a "
                   "directory",
                   ENTRIES("etc/passwd=x"));
    assert_refused("/a/x", ELOOP,
                   "ukp_rom1 cannot be mounted at '/a/x': too many symbolic links on the way",
                   ENTRIES("a->b", "b->a"));
    assert_refused("/a/x", ELOOP,
                   "ukp_rom1 cannot be mounted at '/a/x': too many symbolic links on the way",
                   ENTRIES("a->a/a/a"));
    assert_refused("/a/x", ENOENT,
                   "ukp_rom1 cannot be mounted at '/a/x': a symbolic link on the way leads nowhere",
                   ENTRIES("a->nowhere"));
    assert_refused("/a", ENOENT,
                   "ukp_rom1 cannot be mounted at '/a': a symbolic link on the way leads nowhere",
                   ENTRIES("a->b", "b->d/nowhere", "d/"));
    assert_refused("/a", EINVAL, "ukp_rom1 cannot be mounted at '/a': it leads to the root itself",
                   ENTRIES("a->/"));
}
END_TEST

/* ---- the table of mount points ---------------------------------------------------------- */

enum { TABLE_ENTRIES_MAX = 100, TABLE_LINE_MAX = 512 };

/* A kind of refusal of the table (tests/data/mount-points), and how the view says it. */
static const struct {
    const char *word;
    int errnum;
} refusals[] = {{"notdir", ENOTDIR}, {"loop", ELOOP},  {"nowhere", ENOENT},
                {"kernel", EXDEV},   {"root", EINVAL}, {"platform", ENOTDIR}};

struct table {
    char *root[TABLE_ENTRIES_MAX], *outer[TABLE_ENTRIES_MAX];
    size_t root_count, outer_count;
    struct fixture group;            /* what the group's cases were mounted on so far */
    char *at[TABLE_ENTRIES_MAX * 2]; /* the mounts' paths, which live as long as the table */
    unsigned cases;
};

static void table_release(struct table *table)
{
    release(&table->group);
    for (size_t i = 0; i < table->root_count; i++)
        free(table->root[i]);
    for (size_t i = 0; i < table->outer_count; i++)
        free(table->outer[i]);
    for (unsigned i = 0; i < table->cases; i++)
        free(table->at[i]);
}

/* A fresh root with the outer ROM at /rom. */
static void begin_group(struct table *table)
{
    release(&table->group);
    table->group = (struct fixture){0};
    add_root(&table->group, (const char *const *)table->root);
    add_rom(&table->group, "/rom", "outer", (const char *const *)table->outer);
    look(&table->group);
}

/* Mounts one more ROM, whose only file names the case, and looks where it is. */
static void run_case(struct table *table, const char *at, const char *wanted)
{
    struct fixture *f = &table->group;
    CLEANUP_FREE char *mark = NULL, *path = NULL;
    struct romsim_error err = {0};
    int errnum = 0;

    ck_assert_int_gt(asprintf(&mark, "mark=%s", at), 0);
    ck_assert_int_gt(asprintf(&path, "%s/mark", wanted), 0);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (strcmp(wanted + 1, refusals[i].word) == 0)
            errnum = refusals[i].errnum;
    add_rom(f, at, NULL, ENTRIES(mark));
    romsim_view_free(f->view);
    f->view = romsim_view_new(&f->layout, false, &err);
    if (wanted[0] == '/') {
        ck_assert_msg(f->view != NULL, "%s: %s", at, f->view ? "" : err.message);
        assert_content(f->view, path, at);
        return;
    }
    ck_assert_msg(!f->view && err.errnum == errnum, "%s is refused as %s: %s", at, wanted,
                  f->view ? "mounted" : err.message);
    f->layout.mount_count--;
    romsim_blob_unref(f->devices[--f->layout.device_count].blob);
}

static void run_line(struct table *table, const char *line)
{
    char *at, *wanted;

    if (sscanf(line, "root %ms", &at) == 1)
        table->root[table->root_count++] = at;
    else if (sscanf(line, "outer %ms", &at) == 1)
        table->outer[table->outer_count++] = at;
    else if (strcmp(line, "group\n") == 0)
        begin_group(table);
    if (line[0] != '/')
        return;
    ck_assert_int_eq(sscanf(line, "%ms %ms", &at, &wanted), 2);
    ck_assert_uint_lt(table->cases, sizeof(table->at) / sizeof(table->at[0]));
    table->at[table->cases++] = at;
    run_case(table, at, wanted);
    free(wanted);
}

START_TEST(mount_points_are_where_the_table_says)
{
    CLEANUP_FILE FILE *file = fopen("tests/data/mount-points", "re");
    struct table table = {0};
    char line[TABLE_LINE_MAX];

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        run_line(&table, line);
    ck_assert_uint_ge(table.cases, 60);
    table_release(&table);
}
END_TEST

START_TEST(a_rom_that_is_no_file_system_is_only_a_device)
{
    struct fixture f = {0};

    add_root(&f, EMPTY);
    add_device(&f, romsim_blob_from_bytes("070701 and so on", 16, NULL), ROMSIM_IMAGE_CPIO, "c");
    f.mounts[f.layout.mount_count++] = (struct romsim_mount){.device = 1, .path = (char[]){"/c"}};
    look(&f);
    ck_assert_str_eq(list(f.view, "/"), ". .. dev");
    assert_content(f.view, "/dev/ukp_rom_c", "070701 and so on");
    release(&f);
}
END_TEST

START_TEST(a_view_of_the_drives_needs_no_image_to_be_right)
{
    struct fixture f = {0};

    add_device(&f, romsim_blob_from_bytes("no erofs", 8, NULL), ROMSIM_IMAGE_EROFS, NULL);
    add_device(&f, romsim_blob_from_bytes("no erofs either", 15, NULL), ROMSIM_IMAGE_EROFS, "x");
    f.mounts[f.layout.mount_count++] = (struct romsim_mount){.device = 1, .path = (char[]){"/c"}};
    ck_assert_ptr_null(romsim_view_new(&f.layout, false, NULL));
    f.view = romsim_view_new(&f.layout, true, NULL);
    ck_assert_ptr_nonnull(f.view);
    ck_assert_str_eq(list(f.view, "/"), ". .. dev");
    assert_content(f.view, "/dev/ukp_rom1", "no erofs either");
    release(&f);
}
END_TEST

START_TEST(a_layout_without_a_root_shows_its_roms)
{
    struct fixture f = {0};

    add_device(&f, NULL, ROMSIM_IMAGE_EROFS, NULL);
    add_rom(&f, "/rom", "x", ENTRIES("f=rom"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/"), ". .. dev rom");
    ck_assert_str_eq(list(f.view, "/dev"), ". .. ukp_rom1 ukp_rom_x");
    assert_content(f.view, "/rom/f", "rom");
    release(&f);
}
END_TEST

/* ---- numbers, attributes, content ------------------------------------------------------- */

START_TEST(numbers_are_unique_small_and_shared_by_hard_links)
{
    struct fixture f = {0};

    add_root(&f, ENTRIES("a=same", "b==a", "c=same"));
    add_rom(&f, "/r1", "x", ENTRIES("a=same"));
    add_rom(&f, "/r2", "y", ENTRIES("a=same"));
    look(&f);
    ck_assert_uint_eq(find(f.view, "/a"), find(f.view, "/b"));
    ck_assert_uint_eq(status(f.view, "/b").st_nlink, 2);
    ck_assert_uint_ne(find(f.view, "/a"), find(f.view, "/c"));
    ck_assert_uint_ne(find(f.view, "/r1/a"), find(f.view, "/r2/a"));
    ck_assert_uint_lt(find(f.view, "/r2/a"), UINT64_C(1) << 53);
    ck_assert_uint_eq(status(f.view, "/r2/a").st_ino, find(f.view, "/r2/a"));
    release(&f);
}
END_TEST

START_TEST(attributes_come_from_the_image)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct fixture f = {0};
    struct romsim_inode *inode;
    struct stat stat;

    fill_tree(tree, ENTRIES("f=0123456789"));
    inode = romsim_tree_lookup(tree, "f");
    inode->mode = S_IFREG | 04751;
    inode->uid = 70000;
    inode->gid = 80000;
    inode->mtime = -5;
    inode->mtime_nsec = 123456789;
    inode = romsim_tree_add(tree, romsim_tree_root(tree), "tty", 3, S_IFCHR | 0620, NULL)->inode;
    inode->rdev_major = 300;
    inode->rdev_minor = 70000;
    add_device(&f, build(tree), ROMSIM_IMAGE_EROFS, NULL);
    look(&f);
    stat = status(f.view, "/f");
    ck_assert_uint_eq(stat.st_mode, S_IFREG | 04751);
    ck_assert_uint_eq(stat.st_uid, 70000);
    ck_assert_uint_eq(stat.st_gid, 80000);
    ck_assert_int_eq(stat.st_size, 10);
    ck_assert_int_eq(stat.st_blocks, 8);
    ck_assert_int_eq(stat.st_mtim.tv_sec, -5);
    ck_assert_int_eq(stat.st_mtim.tv_nsec, 123456789);
    ck_assert_int_eq(stat.st_ctim.tv_sec, -5);
    stat = status(f.view, "/tty");
    ck_assert_uint_eq(stat.st_rdev, makedev(300, 70000));
    release(&f);
}
END_TEST

START_TEST(reads_give_the_right_bytes_at_every_offset)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    const struct romsim_erofs_options inline_data = {.inline_data = true};
    struct romsim_erofs_result ignored;
    struct fixture f = {0};
    uint8_t bytes[10000];
    uint64_t node;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    fill_tree(tree, ENTRIES("f=x"));
    ck_assert_int_eq(
        romsim_inode_set_bytes(romsim_tree_lookup(tree, "f"), bytes, sizeof(bytes), NULL), 0);
    add_device(&f, romsim_erofs_build(tree, &inline_data, &ignored, NULL), ROMSIM_IMAGE_EROFS,
               NULL);
    look(&f);
    node = find(f.view, "/f");
    for (uint64_t offset = 0; offset < 10050; offset += 331) {
        struct romsim_view_data data;
        size_t wanted = offset < sizeof(bytes) ? sizeof(bytes) - offset : 0;
        size_t done = 0;

        wanted = wanted < 5000 ? wanted : 5000;
        ck_assert_int_eq(romsim_view_read(f.view, node, offset, 5000, &data, NULL), 0);
        ck_assert_uint_eq(data.size, wanted);
        for (int i = 0; i < data.count; i++) {
            ck_assert_mem_eq(data.pieces[i].iov_base, bytes + offset + done,
                             data.pieces[i].iov_len);
            done += data.pieces[i].iov_len;
        }
        ck_assert_uint_eq(done, wanted);
        romsim_view_data_release(&data);
    }
    release(&f);
}
END_TEST

START_TEST(what_cannot_be_done_with_a_node_is_an_error)
{
    struct fixture f = {0};
    struct romsim_view_data data;
    struct romsim_view_entry entry;
    char scratch[ROMSIM_EROFS_BLOCK_MAX];
    struct romsim_error err;
    uint64_t node;

    add_root(&f, ENTRIES("f=x", "d/x=1"));
    look(&f);
    ck_assert_int_eq(romsim_view_read(f.view, ROMSIM_VIEW_ROOT, 0, 1, &data, &err), -1);
    ck_assert_int_eq(err.errnum, EISDIR);
    ck_assert_int_eq(romsim_view_read(f.view, find(f.view, "/d"), 0, 1, &data, &err), -1);
    ck_assert_int_eq(err.errnum, EISDIR);
    ck_assert_ptr_null(romsim_view_readlink(f.view, find(f.view, "/f"), &err));
    ck_assert_int_eq(err.errnum, EINVAL);
    ck_assert_int_eq(romsim_view_lookup(f.view, find(f.view, "/f"), "x", &node, &err), -1);
    ck_assert_int_eq(err.errnum, ENOTDIR);
    ck_assert_int_eq(romsim_view_lookup(f.view, find(f.view, "/dev/ukp_rom0"), "x", &node, &err),
                     -1);
    ck_assert_int_eq(err.errnum, ENOTDIR);
    ck_assert_int_eq(
        romsim_view_readdir(f.view, find(f.view, "/dev/ukp_rom0"), 0, &node, &entry, scratch, &err),
        -1);
    ck_assert_int_eq(err.errnum, ENOTDIR);
    release(&f);
}
END_TEST

/* A tree with everything that means something to overlayfs, beside what it leaves alone. */
static struct romsim_blob *build_marked(void)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct romsim_inode *directory, *inode;

    fill_tree(tree, ENTRIES("d/file=kept", "d/meta=there", "d/sub/empty="));
    directory = romsim_tree_lookup(tree, "d");
    romsim_tree_add(tree, directory, "white", 5, S_IFCHR | 0644, NULL);
    romsim_tree_add(tree, directory, "block", 5, S_IFBLK | 0644, NULL);
    inode = romsim_tree_add(tree, directory, "tty", 3, S_IFCHR | 0644, NULL)->inode;
    inode->rdev_major = 5;
    romsim_tree_add(tree, romsim_tree_root(tree), "white", 5, S_IFCHR | 0644, NULL);
    inode = romsim_tree_lookup(tree, "d/file");
    romsim_inode_set_xattr(inode, "trusted.overlay.origin", "x", 1, NULL);
    romsim_inode_set_xattr(inode, "trusted.other", "y", 1, NULL);
    romsim_inode_set_xattr(romsim_tree_lookup(tree, "d/meta"), "trusted.overlay.metacopy", "", 0,
                           NULL);
    inode = romsim_tree_lookup(tree, "d/sub");
    romsim_inode_set_xattr(inode, "trusted.overlay.opaque", "y", 1, NULL);
    romsim_inode_set_xattr(inode, "trusted.overlay.redirect", "/d", 2, NULL);
    romsim_inode_set_xattr(romsim_tree_lookup(tree, "d/sub/empty"), "trusted.overlay.whiteout", "",
                           0, NULL);
    return build(tree);
}

/* The names of the xattrs, with spaces between. */
static const char *xattrs(struct romsim_view *view, const char *path)
{
    static char names[4096];
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    size_t used = 0;

    names[0] = '\0';
    while (romsim_view_xattr(view, find(view, path), &cursor, &xattr, NULL) == 1) {
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? " " : "",
                                 xattr.name);
        romsim_xattr_release(&xattr);
    }
    return names;
}

/* `at` is the marked tree, as the lower layer of an overlay or alone. */
static void assert_marks(struct romsim_view *view, const char *at, bool layered)
{
    char path[256];
    struct romsim_error err = {0};
    uint64_t node;

    snprintf(path, sizeof(path), "%s/d", at);
    ck_assert_str_eq(list(view, path), layered ? ". .. block file meta sub tty"
                                               : ". .. block file meta sub tty white");
    ck_assert_int_eq(romsim_view_lookup(view, find(view, path), "white", &node, NULL), !layered);
    ck_assert_int_eq(romsim_view_lookup(view, find(view, path), "tty", &node, NULL), 1);
    ck_assert_int_eq(romsim_view_lookup(view, find(view, path), "block", &node, NULL), 1);
    ck_assert_int_eq(romsim_view_lookup(view, find(view, path), "meta", &node, &err),
                     layered ? -1 : 1);
    ck_assert_int_eq(err.errnum, layered ? EPERM : 0);
    snprintf(path, sizeof(path), "%s/d/file", at);
    ck_assert_str_eq(xattrs(view, path),
                     layered ? "trusted.other" : "trusted.other trusted.overlay.origin");
    snprintf(path, sizeof(path), "%s/d/sub", at);
    ck_assert_str_eq(list(view, path), ". .. empty");
}

/* A ROM of the marked tree. */
static void add_marked(struct fixture *fixture, char *at)
{
    unsigned index = add_device(fixture, build_marked(), ROMSIM_IMAGE_EROFS, NULL)->index;

    if (at)
        fixture->mounts[fixture->layout.mount_count++] =
            (struct romsim_mount){.device = index, .path = at};
}

START_TEST(what_overlayfs_hides_of_its_lower_layer_is_hidden)
{
    struct fixture f = {0};

    add_marked(&f, NULL);
    add_marked(&f, (char[]){"/alone"});
    add_marked(&f, (char[]){"/there"});
    add_marked(&f, (char[]){"/outer"});
    add_rom(&f, "/there/d/sub", "there", EMPTY);
    add_rom(&f, "/outer/d/new/made", "made", EMPTY);
    add_rom(&f, "/white/made", "white", ENTRIES("f=1"));
    look(&f);
    ck_assert_str_eq(list(f.view, "/"), ". .. dev alone there outer white d");
    assert_content(f.view, "/white/made/f", "1");
    assert_marks(f.view, "", true);
    assert_marks(f.view, "/alone", false);
    /* A mount point that is there needs no overlay. */
    ck_assert_uint_ne(find(f.view, "/there/white"), 0);
    ck_assert_str_eq(list(f.view, "/there/d"), ". .. sub block file meta tty white");
    ck_assert_uint_eq(find(f.view, "/outer/white"), 0);
    ck_assert_str_eq(list(f.view, "/outer/d"), ". .. new block file meta sub tty");
    release(&f);
}
END_TEST

START_TEST(a_whiteout_in_a_rom_is_no_place_for_a_mount)
{
    struct fixture f = {0};
    struct romsim_error err;

    add_root(&f, EMPTY);
    add_marked(&f, (char[]){"/outer"});
    add_rom(&f, "/outer/new", "made", EMPTY);
    add_rom(&f, "/outer/white", "white", EMPTY);
    ck_assert_ptr_null(romsim_view_new(&f.layout, false, &err));
    ck_assert_int_eq(err.errnum, ENOTDIR);
    release(&f);
}
END_TEST

START_TEST(xattrs_and_sizes_come_from_the_image)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct fixture f = {0};
    struct romsim_xattr xattr;
    struct statvfs statvfs;
    uint64_t cursor = 0, none = 0;

    fill_tree(tree, ENTRIES("f=x", "at/old=1"));
    ck_assert_int_eq(
        romsim_inode_set_xattr(romsim_tree_lookup(tree, "f"), "user.color", "red", 3, NULL), 0);
    add_device(&f, build(tree), ROMSIM_IMAGE_EROFS, NULL);
    add_rom(&f, "/at/x", "x", ENTRIES("f=rom"));
    look(&f);
    ck_assert_int_eq(romsim_view_xattr(f.view, find(f.view, "/f"), &cursor, &xattr, NULL), 1);
    ck_assert_str_eq(xattr.name, "user.color");
    ck_assert_mem_eq(xattr.value, "red", 3);
    romsim_xattr_release(&xattr);
    ck_assert_int_eq(romsim_view_xattr(f.view, find(f.view, "/f"), &cursor, &xattr, NULL), 0);
    ck_assert_int_eq(romsim_view_xattr(f.view, ROMSIM_VIEW_ROOT, &none, &xattr, NULL), 0);
    ck_assert_int_eq(romsim_view_xattr(f.view, find(f.view, "/dev/ukp_rom0"), &none, &xattr, NULL),
                     0);
    ck_assert_int_eq(romsim_view_statfs(f.view, find(f.view, "/at/x/f"), &statvfs, NULL), 0);
    ck_assert_uint_eq(statvfs.f_blocks * statvfs.f_frsize, romsim_blob_size(f.devices[1].blob));
    ck_assert_int_eq(romsim_view_statfs(f.view, find(f.view, "/dev"), &statvfs, NULL), 0);
    ck_assert_uint_eq(statvfs.f_blocks * statvfs.f_frsize, romsim_blob_size(f.devices[0].blob));
    ck_assert_uint_eq(statvfs.f_bavail, 0);
    release(&f);
}
END_TEST

/* Each file's bytes hold a descriptor, of which an ordinary user may have 1024. */
enum { LARGE = 800 };

START_TEST(a_large_directory_is_listed_once_and_looked_up_across_blocks)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct fixture f = {0};
    char scratch[ROMSIM_EROFS_BLOCK_MAX];
    struct romsim_view_entry entry;
    uint64_t cursor = 0, node, directory;
    bool seen[LARGE] = {false};
    unsigned count = 0;

    for (int i = 0; i < LARGE; i++) {
        char name[32];

        snprintf(name, sizeof(name), "d/name_%d=%d", i, i);
        fill_tree(tree, ENTRIES(name));
    }
    add_device(&f, build(tree), ROMSIM_IMAGE_EROFS, NULL);
    add_rom(&f, "/d/name/rom", "x", ENTRIES("f=rom"));
    look(&f);
    directory = find(f.view, "/d");
    while (romsim_view_readdir(f.view, directory, cursor, &cursor, &entry, scratch, NULL) == 1) {
        char name[32];
        int number;

        snprintf(name, sizeof(name), "%.*s", (int)entry.name_size, entry.name);
        if (sscanf(name, "name_%d", &number) != 1)
            continue;
        ck_assert(!seen[number]);
        seen[number] = true;
        count++;
        ck_assert_int_eq(romsim_view_lookup(f.view, directory, name, &node, NULL), 1);
        ck_assert_uint_eq(node, entry.node);
    }
    ck_assert_uint_eq(count, LARGE);
    ck_assert_int_eq(romsim_view_lookup(f.view, directory, "name_800", &node, NULL), 0);
    release(&f);
}
END_TEST

/* ---- hostile input ---------------------------------------------------------------------- */

/* Asks all there is to ask of a node; the answers do not matter, only that they come. */
static void ask_everything(struct romsim_view *view, uint64_t node)
{
    char scratch[ROMSIM_EROFS_BLOCK_MAX];
    struct romsim_view_entry entry;
    struct romsim_view_data data;
    struct romsim_xattr xattr;
    struct statvfs statvfs;
    struct stat stat;
    uint64_t cursor = 0, ignored;

    romsim_view_stat(view, node, &stat, NULL);
    romsim_view_statfs(view, node, &statvfs, NULL);
    romsim_view_lookup(view, node, "a", &ignored, NULL);
    romsim_view_lookup(view, node, "..", &ignored, NULL);
    free(romsim_view_readlink(view, node, NULL));
    for (int i = 0;
         i < 100 && romsim_view_readdir(view, node, cursor, &cursor, &entry, scratch, NULL) == 1;
         i++)
        ;
    cursor = 0;
    for (size_t i = 0; i < 10 && romsim_view_xattr(view, node, &cursor, &xattr, NULL) == 1; i++)
        romsim_xattr_release(&xattr);
    if (romsim_view_read(view, node, 0, 10000, &data, NULL) == 0)
        romsim_view_data_release(&data);
    if (romsim_view_read(view, node, INT64_MAX - 5000, 10000, &data, NULL) == 0)
        romsim_view_data_release(&data);
}

START_TEST(numbers_that_are_no_nodes_are_refused)
{
    struct fixture f = {0};
    struct romsim_error err;
    struct stat stat;

    add_root(&f, ENTRIES("a/b=1"));
    add_rom(&f, "/a/c", "x", ENTRIES("f=rom"));
    look(&f);
    ck_assert_int_eq(romsim_view_stat(f.view, 0, &stat, &err), -1);
    ck_assert_int_eq(err.errnum, ESTALE);
    ck_assert_int_eq(romsim_view_stat(f.view, 1000, &stat, &err), -1);
    ck_assert_int_eq(err.errnum, ESTALE);
    ck_assert_int_eq(romsim_view_stat(f.view, UINT64_C(3) << 44, &stat, &err), -1);
    ck_assert_int_eq(err.errnum, ESTALE);
    srand(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t random = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();

        ask_everything(f.view, random >> rand() % 64);
        ask_everything(f.view, (uint64_t)(1 + i % 3) << 44 | random % 2000);
    }
    release(&f);
}
END_TEST

/* Visits a view breadth first, up to a number of nodes: loops in a damaged image do not end. */
static void visit(struct romsim_view *view)
{
    enum { NODES = 60 };
    uint64_t queue[NODES] = {ROMSIM_VIEW_ROOT};
    char scratch[ROMSIM_EROFS_BLOCK_MAX];
    struct romsim_view_entry entry;
    size_t count = 1;

    for (size_t i = 0; i < count; i++) {
        uint64_t cursor = 0;

        ask_everything(view, queue[i]);
        while (count < NODES &&
               romsim_view_readdir(view, queue[i], cursor, &cursor, &entry, scratch, NULL) == 1)
            if (!entry.is_dot)
                queue[count++] = entry.node;
    }
}

START_TEST(damaged_images_give_errors_and_no_more)
{
    CLEANUP_BLOB struct romsim_blob *good = NULL;
    struct fixture sound = {0};

    add_root(&sound, EMPTY);
    good = build_entries(ENTRIES("a=content", "d/e/f=deep", "l->d/e", "h==a", "d/g=other"));
    srand(11);
    for (int i = 0; i < 3000; i++) {
        size_t size = romsim_blob_size(good);
        CLEANUP_FREE uint8_t *bytes = malloc(size);
        struct fixture f = {0};

        memcpy(bytes, romsim_blob_bytes(good), size);
        for (int j = 0; j <= i % 4; j++) /* most of it is padding: hit the metadata */
            bytes[1024 + (size_t)rand() % (i % 2 ? 1024 : size - 1024)] ^= (uint8_t)(rand() | 1);
        add_device(&f, romsim_blob_ref(sound.devices[0].blob), ROMSIM_IMAGE_EROFS, NULL);
        add_device(&f, romsim_blob_from_bytes(bytes, size, NULL), ROMSIM_IMAGE_EROFS, "x");
        f.mounts[f.layout.mount_count++] =
            (struct romsim_mount){.device = 1, .path = (char[]){"/at"}};
        f.mounts[f.layout.mount_count++] =
            (struct romsim_mount){.device = 0, .path = (char[]){"/at/d/in"}};
        f.view = romsim_view_new(&f.layout, false, NULL);
        if (f.view)
            visit(f.view);
        release(&f);
    }
    release(&sound);
}
END_TEST

START_TEST(the_apps_directory_is_made_if_it_is_missing)
{
    struct fixture f = {0};

    add_root(&f, ENTRIES("srv/here=1", "to->srv"));
    add_rom(&f, "/rom", "x", ENTRIES("f=rom"));
    f.layout.working_dir = (char *)"/to/a/b";
    look(&f);
    ck_assert_str_eq(list(f.view, "/srv"), ". .. a here");
    ck_assert_str_eq(list(f.view, "/srv/a/b"), ". ..");
    ck_assert_uint_eq(status(f.view, "/srv/a").st_mode, S_IFDIR | 0755);
    ck_assert_uint_eq(status(f.view, "/srv").st_nlink, 4); /* one more than before */
    romsim_view_free(f.view);
    f.layout.working_dir = (char *)"/rom/a"; /* read-only in the guest */
    look(&f);
    ck_assert_str_eq(list(f.view, "/rom"), ". .. f");
    romsim_view_free(f.view);
    f.layout.working_dir = (char *)"/srv/here/a";
    look(&f);
    assert_content(f.view, "/srv/here", "1");
    romsim_view_free(f.view);
    f.layout.working_dir = (char *)"/proc/a"; /* the guest's kernel's */
    look(&f);
    ck_assert_uint_eq(find(f.view, "/proc"), 0);
    release(&f);
}
END_TEST

static void add_volume(struct fixture *fixture, const char *at)
{
    struct romsim_device *device = add_device(fixture, NULL, ROMSIM_IMAGE_EROFS, NULL);

    device->role = ROMSIM_DEVICE_VOLUME;
    device->access = ROMSIM_READ_WRITE;
    snprintf(device->indexed_name, sizeof(device->indexed_name), "ukp_vol0");
    fixture->mounts[fixture->layout.mount_count++] = (struct romsim_mount){
        .device = (size_t)(device - fixture->devices), .path = (char *)(uintptr_t)at};
}

START_TEST(a_volume_is_an_empty_directory_with_the_roms_that_are_mounted_in_it)
{
    struct fixture f = {0};
    struct stat stat;

    add_root(&f, ENTRIES("data/", "etc/hosts=h"));
    add_volume(&f, "/data");
    add_rom(&f, "/data/deep/rom", NULL, ENTRIES("file=content"));
    look(&f);
    ck_assert_int_eq(romsim_view_stat(f.view, find(f.view, "/data"), &stat, NULL), 0);
    ck_assert_uint_eq(stat.st_mode, S_IFDIR | 0755);
    ck_assert_uint_eq(stat.st_nlink, 3);
    assert_content(f.view, "/data/deep/rom/file", "content");
    ck_assert_uint_eq(find(f.view, "/dev/ukp_vol0"), 0);
    ck_assert_uint_ne(find(f.view, "/dev/ukp_rom0"), 0);
    ck_assert_str_eq(romsim_view_device_name(f.view, find(f.view, "/data/deep/rom/file")),
                     "ukp_rom2");
    release(&f);
}
END_TEST

START_TEST(a_volume_is_not_mounted_over_files)
{
    static const struct {
        const char *at;
        int errnum;
    } cases[] = {{"/new/place", 0},        {"/empty", 0},       {"/rom/empty", 0},
                 {"/rom/new", 0},          {"/link", 0},        {"/etc", ENOTEMPTY},
                 {"/rom/full", ENOTEMPTY}, {"/rom", ENOTEMPTY}, {"/etc/file", ENOTDIR},
                 {"/tofull", ENOTEMPTY}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = {0};
        struct romsim_error err = {0};

        add_root(&f, ENTRIES("empty/", "etc/file=x", "rom/", "link->empty", "tofull->etc"));
        add_rom(&f, "/rom", NULL, ENTRIES("empty/", "full/file=x"));
        add_volume(&f, cases[i].at);
        f.view = romsim_view_new(&f.layout, false, &err);
        ck_assert_msg(!f.view == (cases[i].errnum != 0) && err.errnum == cases[i].errnum, "%s: %s",
                      cases[i].at, err.message);
        release(&f);
    }
}
END_TEST

UNIT_MAIN("view", a_volume_is_an_empty_directory_with_the_roms_that_are_mounted_in_it,
          a_volume_is_not_mounted_over_files, the_apps_directory_is_made_if_it_is_missing,
          what_overlayfs_hides_of_its_lower_layer_is_hidden,
          a_whiteout_in_a_rom_is_no_place_for_a_mount, mount_points_are_where_the_table_says,
          the_root_image_is_shown_with_dev_in_place_of_its_own, a_root_without_dev_gets_one,
          devices_have_the_images_bytes_under_both_names, an_at_hides_what_the_directory_held,
          missing_parents_of_an_at_are_made, an_at_may_be_inside_of_another,
          links_on_the_way_to_an_at_are_followed_inside_the_root,
          a_link_as_the_last_name_of_an_at_is_followed_too, an_at_that_cannot_be_is_refused,
          a_rom_that_is_no_file_system_is_only_a_device,
          a_view_of_the_drives_needs_no_image_to_be_right, a_layout_without_a_root_shows_its_roms,
          numbers_are_unique_small_and_shared_by_hard_links, attributes_come_from_the_image,
          reads_give_the_right_bytes_at_every_offset, what_cannot_be_done_with_a_node_is_an_error,
          xattrs_and_sizes_come_from_the_image,
          a_large_directory_is_listed_once_and_looked_up_across_blocks,
          numbers_that_are_no_nodes_are_refused, damaged_images_give_errors_and_no_more)
