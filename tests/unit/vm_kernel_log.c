/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_kernel_log.c: what the user is told of the guest kernel's log. */
#include "harness.h"

#include "sim/vm/kernel_log.h"

#include <stdbool.h>

/* Everything that was told, each sentence behind a newline. */
static void collect(void *context, const char *note)
{
    romsim_buffer_puts(context, "\n");
    romsim_buffer_puts(context, note);
}

static void take(struct kernel_log *log, const char *text)
{
    kernel_log_take(log, text, strlen(text));
}

/* A log of a guest with two ROMs, whose app runs. */
static void open_log(struct kernel_log *log, struct romsim_buffer *told)
{
    *told = ROMSIM_BUFFER_INIT(1 << 20);
    kernel_log_init(log, collect, told);
    ck_assert(kernel_log_name(log, "vda", "root image"));
    ck_assert(kernel_log_name(log, "vdb", "ukp_rom_conf"));
    ck_assert(kernel_log_name(log, "vdaa", "ukp_rom26"));
    kernel_log_release(log);
}

static void close_log(struct kernel_log *log, struct romsim_buffer *told)
{
    romsim_buffer_reset(told);
    kernel_log_free(log);
}

struct line {
    const char *said;
    const char *told; /* NULL: nothing */
};

#define SAYS   "the guest's kernel says: "
#define MEMORY "the guest ran out of memory and its kernel killed process "
#define MORE   ": give it more (-m, or memory_mb in the instance)"

static const struct line lines[] = {
    /* As Linux 6.1 says it, and later ones. */
    {"[    2.777748] erofs: (device vdb): z_erofs_lz4_decompress_mem: failed to decompress -18\r\n",
     SAYS "erofs: (device ukp_rom_conf): z_erofs_lz4_decompress_mem: failed to decompress -18"},
    {"[  102.777748] erofs (device vdb): bogus dirent @ nid 36\n",
     SAYS "erofs (device ukp_rom_conf): bogus dirent @ nid 36"},
    {"[    2.777748] erofs: (device vda): invalid nid 5\n",
     SAYS "erofs: (device root image): invalid nid 5"},
    {"[    3.1] I/O error, dev vdaa, sector 8 op 0x0:(READ) flags 0x80700\n",
     SAYS "I/O error, dev ukp_rom26, sector 8 op 0x0:(READ) flags 0x80700"},
    {"[    3.1] Buffer I/O error on dev vdb, logical block 1, async page read\n",
     SAYS "Buffer I/O error on dev ukp_rom_conf, logical block 1, async page read"},
    {"[12345.1] vdb: vdb is no vdbx, nor my_vdb: vdb\n",
     SAYS "ukp_rom_conf: ukp_rom_conf is no vdbx, nor my_vdb: ukp_rom_conf"},
    {"[    6.012850] Out of memory: Killed process 81 (tail) total-vm:37912kB, anon-rss:35816kB\n",
     MEMORY "81 (tail)" MORE},
    {"[    6.012850] Out of memory: Killed process 81 (a (b) c) total-vm:1kB\n",
     MEMORY "81 (a (b)" MORE},
    {"[    6.012850] Out of memory: Killed process 7\n", MEMORY "7" MORE},
    /* No error. */
    {"[    2.509383] erofs: (device vdb): mounted with root inode @ nid 36.\n", NULL},
    {"[    2.330122] virtio_blk virtio2: [vdb] 6184 512-byte logical blocks (3.17 MB/3.02 MiB)\n",
     NULL},
    {"[    2.5] erofs: (device vdb): EXPERIMENTAL compressed fragments feature in use\n", NULL},
    /* Nothing of ours. */
    {"[    2.777748] erofs: (device loop0): bogus dirent\n", NULL},
    {"[    2.777748] erofs: (device vdc): bogus dirent\n", NULL},
    {"[    2.777748] erofs: (device vdb1): bogus dirent\n", NULL},
    {"[    2.777748] Memory cgroup out of memory: Killed process 81 (tail)\n", NULL},
    {"[    2.777748] \n", NULL},
    {"\n", NULL},
    /* Not the kernel's. */
    {"erofs: (device vdb): bogus dirent\n", NULL},
    {"[vdb] 1 vdb\n", NULL},
    {"[    2.7x] vdb\n", NULL},
    {"[    2.7]vdb\n", NULL},
    {"[    2.7", NULL},
    {"[     \n", NULL},
    {"Out of memory: Killed process 1 (init)\n", NULL},
    /* Hostile. */
    {"[    2.7] vdb \033[31mred\007 \302\233 \xff\n",
     SAYS "ukp_rom_conf \\x1b[31mred\\x07 \\xc2\\x9b \\xff"},
    {"[    6.0] Out of memory: Killed process 81 (\033]0;x) total-vm:37912kB\n",
     MEMORY "81 (\\x1b]0;x)" MORE},
};

START_TEST(each_line_is_told_as_the_table_says)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct romsim_buffer told;
        struct kernel_log log;

        open_log(&log, &told);
        take(&log, lines[i].said);
        if (lines[i].told)
            ck_assert_str_eq(told.data ? told.data + 1 : "(nothing)", lines[i].told);
        else
            ck_assert_msg(!told.data, "'%s' was told as '%s'", lines[i].said, told.data);
        ck_assert_int_eq(log.told_of_memory, lines[i].told && strstr(lines[i].told, MEMORY));
        close_log(&log, &told);
    }
}
END_TEST

START_TEST(a_line_may_come_in_any_pieces)
{
    static const char text[] =
        "[    1.0] a\r\n[    2.0] erofs: (device vdb): bad\r\n[    3.0] b\r\n";
    struct romsim_buffer told;
    struct kernel_log log;

    for (size_t piece = 1; piece < sizeof(text); piece++) {
        open_log(&log, &told);
        for (size_t at = 0; at < strlen(text); at += piece)
            kernel_log_take(&log, text + at, piece < strlen(text) - at ? piece : strlen(text) - at);
        ck_assert_str_eq(told.data, "\n" SAYS "erofs: (device ukp_rom_conf): bad");
        close_log(&log, &told);
    }
}
END_TEST

START_TEST(lines_that_differ_in_their_numbers_are_told_once)
{
    struct romsim_buffer told;
    struct kernel_log log;

    open_log(&log, &told);
    take(&log, "[    1.0] erofs: (device vdb): block 10 of 2000\n");
    take(&log, "[    1.1] erofs: (device vdb): block 9 of 2000\n");
    take(&log, "[    1.2] erofs: (device vdaa): block 9 of 2000\n");
    take(&log, "[    1.3] erofs: (device vdb): block 9 of 2000!\n");
    take(&log, "[    1.4] erofs: (device vdb): block 1 of 23 \n");
    ck_assert_str_eq(told.data, "\n" SAYS "erofs: (device ukp_rom_conf): block 10 of 2000"
                                "\n" SAYS "erofs: (device ukp_rom26): block 9 of 2000"
                                "\n" SAYS "erofs: (device ukp_rom_conf): block 9 of 2000!");
    ck_assert_uint_eq(log.more, 2);
    close_log(&log, &told);
}
END_TEST

START_TEST(a_flood_ends_in_a_number)
{
    struct romsim_buffer told;
    struct kernel_log log;
    unsigned count = 0;
    char line[64];

    open_log(&log, &told);
    for (unsigned i = 0; i < 26 * 26; i++) {
        snprintf(line, sizeof(line), "[    1.0] vdb: %c%c\n", 'a' + i / 26, 'a' + i % 26);
        take(&log, line);
    }
    for (const char *at = told.data; at && (at = strchr(at, '\n')); at++)
        count++;
    ck_assert_uint_eq(count, KERNEL_LOG_NOTES_MAX);
    ck_assert_uint_eq(log.more, 26 * 26 - KERNEL_LOG_NOTES_MAX);
    close_log(&log, &told);
}
END_TEST

/* init's word on the disks may be read after the log. */
START_TEST(what_is_held_waits_for_the_names)
{
    struct romsim_buffer told = ROMSIM_BUFFER_INIT(1 << 20);
    struct kernel_log log;

    kernel_log_init(&log, collect, &told);
    take(&log, "[    1.0] erofs: (device vdb): bad\n[    1.0] erofs: (device vdc): bad\n");
    take(&log, "[    1.0] Out of memory: Killed process 1 (x) y\n");
    ck_assert(kernel_log_name(&log, "vdb", "ukp_rom_conf"));
    ck_assert(!kernel_log_name(&log, "vdb", "ukp_rom_other"));
    ck_assert_ptr_null(told.data);
    ck_assert(!log.told_of_memory);
    kernel_log_release(&log);
    ck_assert_str_eq(told.data,
                     "\n" SAYS "erofs: (device ukp_rom_conf): bad\n" MEMORY "1 (x)" MORE);
    ck_assert(log.told_of_memory);
    kernel_log_release(&log);
    take(&log, "[    1.0] erofs: (device vdb): worse\n");
    ck_assert_str_eq(strrchr(told.data, '\n'), "\n" SAYS "erofs: (device ukp_rom_conf): worse");
    close_log(&log, &told);
}
END_TEST

START_TEST(only_what_virtio_disks_are_called_is_a_name)
{
    static const char *const bad[] = {"",     "vd",       "sda", "vd1", "vdB",
                                      "vdb1", "vdabcdef", "v",   "vd b"};
    struct romsim_buffer told;
    struct kernel_log log;

    open_log(&log, &told);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!kernel_log_name(&log, bad[i], "x"), "'%s'", bad[i]);
    ck_assert(kernel_log_name(&log, "vdabcde", "x"));
    close_log(&log, &told);
}
END_TEST

START_TEST(a_line_without_end_costs_nothing)
{
    struct romsim_buffer told;
    struct kernel_log log;

    open_log(&log, &told);
    take(&log, "[    1.0] vdb ");
    for (unsigned i = 0; i < 100000; i++)
        take(&log, "vdb vdb vdb ");
    ck_assert_ptr_null(told.data);
    take(&log, "\n[    1.0] vdaa\n");
    ck_assert_ptr_nonnull(strstr(told.data, "says: ukp_rom_conf ukp_rom_conf "));
    ck_assert_str_eq(strrchr(told.data, '\n'), "\n" SAYS "ukp_rom26");
    ck_assert_uint_lt(told.size, 4 * KERNEL_LOG_LINE_MAX);
    close_log(&log, &told);
}
END_TEST

UNIT_MAIN("vm_kernel_log", each_line_is_told_as_the_table_says, a_line_may_come_in_any_pieces,
          lines_that_differ_in_their_numbers_are_told_once, a_flood_ends_in_a_number,
          what_is_held_waits_for_the_names, only_what_virtio_disks_are_called_is_a_name,
          a_line_without_end_costs_nothing)
