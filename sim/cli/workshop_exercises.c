/* SPDX-License-Identifier: BSD-3-Clause */
/* workshop_exercises.c: the exercises of docs/workshop.md: see workshop.h.  A hint helps on, and is
 * not the solution. */
#include "sim/cli/workshop.h"

#include <romsim/embed.h>

/* A file of sim/cli/workshop, and its entry in a list. */
#define EMBED(name, path) ROMSIM_EMBED(embed_##name, "sim/cli/workshop/" path)
#define FILE_OF(path, name)                                                                        \
    {                                                                                              \
        path, embed_##name, embed_##name##_end, false                                              \
    }

/* ---- 1. a first ROM ----------------------------------------------------------------------- */

EMBED(hello, "1/hello.yaml");

static const struct workshop_file files_1[] = {FILE_OF("hello.yaml", hello), {0}};

static const struct workshop_step steps_1[] = {
    {workshop_file_is_right, "hello.yaml", NULL, NULL,
     "each error has its line; 'romsim explain CODE' has the page of a code"},
    {workshop_file_has_rom, "hello", "/site", NULL,
     "'romsim explain roms' and 'romsim explain at' have examples of a list 'roms:'"},
    {workshop_runs, "hello", NULL, NULL, "'romsim run -d' makes it of the file"},
    {workshop_has_rom, "hello", "/site", NULL,
     "an instance keeps the ROMs that it was made with: remove it, and make it again"},
    {workshop_says, "hello", "/", "Hello from my ROM",
     "a web server shows index.html: is there one in your ROM, and what does it say?"},
    {0},
};

/* ---- 2. change the data, not the base ------------------------------------------------------- */

EMBED(menu, "2/menu.yaml");
EMBED(menu_page, "2/site/index.html");

static const struct workshop_file files_2[] = {
    FILE_OF("menu.yaml", menu), FILE_OF("site/index.html", menu_page), {0}};

static const struct workshop_step steps_2[] = {
    {workshop_file_is_right, "menu.yaml", NULL, NULL,
     "each error has its line; 'romsim explain CODE' has the page of a code"},
    {workshop_runs, "menu", NULL, NULL,
     "'romsim run --watch' in another terminal, and leave it there"},
    {workshop_says, "menu", "/", "Pancakes",
     "change site/index.html and save it; the terminal with --watch says that it starts again"},
    {workshop_says_no, "menu", "/", "soup", "there is none today: take the line away"},
    {0},
};

/* ---- 3. two ROMs over one base -------------------------------------------------------------- */

EMBED(quotes, "3/quotes.yaml");
EMBED(quotes_main, "3/code/main.py");
EMBED(quotes_text, "3/code/data/quotes.txt");
EMBED(quotes_colour, "3/code/data/colour.txt");

static const struct workshop_file files_3[] = {FILE_OF("quotes.yaml", quotes),
                                               FILE_OF("code/main.py", quotes_main),
                                               FILE_OF("code/data/quotes.txt", quotes_text),
                                               FILE_OF("code/data/colour.txt", quotes_colour),
                                               {0}};

static const struct workshop_step steps_3[] = {
    {workshop_file_is_right, "quotes.yaml", NULL, NULL,
     "each error has its line; 'romsim explain CODE' has the page of a code"},
    {workshop_file_has_rom, "quotes", "/app", NULL, "the ROM with the program is needed as before"},
    {workshop_file_has_rom, "quotes", "/app/data", NULL,
     "a second ROM in the list, with its own 'at'; 'files:' or 'dir:', as you like"},
    {workshop_runs, "quotes", NULL, NULL, "'romsim run -d' makes it of the file"},
    {workshop_has_rom, "quotes", "/app/data", NULL,
     "an instance keeps the ROMs that it was made with: remove it, and make it again"},
    {workshop_says, "quotes", "/",
     "color:", "'romsim logs quotes' says what the program misses: your ROM hides what was there"},
    {workshop_says_no, "quotes", "/", "there are no quotes yet",
     "it shows the example: is your quotes.txt in the ROM at /app/data?"},
    {0},
};

/* ---- 4. limits and errors ------------------------------------------------------------------- */

EMBED(mend, "4/mend.yaml");

static const struct workshop_file files_4[] = {FILE_OF("mend.yaml", mend), {0}};

static const struct workshop_step steps_4[] = {
    {workshop_file_is_right, "mend.yaml", NULL, NULL,
     "take them one by one: 'romsim explain CODE' shows what is refused, and what is taken"},
    {workshop_file_has_rom, "mend", "/site", NULL, "both ROMs are to stay"},
    {workshop_file_has_rom, "mend", "/site/pictures", NULL, "both ROMs are to stay"},
    {workshop_runs, "mend", NULL, NULL, "'romsim run -d' makes it of the file"},
    {workshop_says, "mend", "/", "All is mended", "does the instance have the file as it is now?"},
    {workshop_says, "mend", "/pictures/tick.svg", "<svg",
     "the page looks for pictures/tick.svg: under which name is it in its ROM?"},
    {0},
};

/* ---- 5. inline or an image ------------------------------------------------------------------ */

EMBED(clock_yaml, "5/clock.yaml");
EMBED(clock_kraftfile, "5/clock/Kraftfile");
EMBED(clock_page, "5/clock/site/index.html");
EMBED(clock_program, "5/clock/site/cgi-bin/clock");

static const struct workshop_file files_5[] = {
    FILE_OF("clock.yaml", clock_yaml),
    FILE_OF("clock/Kraftfile", clock_kraftfile),
    FILE_OF("clock/site/index.html", clock_page),
    {"clock/site/cgi-bin/clock", embed_clock_program, embed_clock_program_end, true},
    {0}};

static const struct workshop_step steps_5[] = {
    {workshop_file_is_right, "clock.yaml", NULL, NULL,
     "'romsim image ls' has the images that there are, 'romsim image build' makes one"},
    {workshop_file_has_image, "clock", "/site", NULL,
     "'image:' with the name that you gave it, in place of 'dir:'"},
    {workshop_runs, "clock", NULL, NULL, "'romsim run -d' makes it of the file"},
    {workshop_says, "clock", "/cgi-bin/clock", "It is",
     "is the instance older than the file? Remove it, and make it again"},
    {0},
};

/* ---- 6. the life of an instance ------------------------------------------------------------- */

EMBED(life, "6/life.yaml");

static const struct workshop_file files_6[] = {FILE_OF("life.yaml", life), {0}};

static const struct workshop_step steps_6[] = {
    {workshop_file_is_right, "life.yaml", NULL, NULL,
     "each error has its line; 'romsim explain CODE' has the page of a code"},
    {workshop_runs, "life", NULL, NULL, "'romsim run -d', or 'romsim start' if it was stopped"},
    {workshop_was_restarted, "life", NULL, NULL, "what is changed takes effect by a restart"},
    {workshop_says, "life", "/", "Hello,", "'romsim logs life' has what it said"},
    {workshop_says_no, "life", "/", "nobody",
     "'romsim edit' changes the variable WHO of its environment"},
    {workshop_is_gone, "spare", NULL, NULL, "'romsim rm' removes one"},
    {0},
};

/* ---- 7. a template, and clones of it -------------------------------------------------------- */

EMBED(template_yaml, "7/template.yaml");
EMBED(clones_yaml, "7/clones.yaml");
EMBED(ada, "7/ada/python_function.py");

static const struct workshop_file files_7[] = {FILE_OF("template.yaml", template_yaml),
                                               FILE_OF("clones.yaml", clones_yaml),
                                               FILE_OF("ada/python_function.py", ada),
                                               {0}};

static const struct workshop_step steps_7[] = {
    {workshop_has_template, "greeter", NULL, NULL,
     "'romsim template create NAME FILE' makes one of template.yaml"},
    {workshop_file_is_right, "clones.yaml", NULL, NULL,
     "each error has its line; 'romsim explain CODE' has the page of a code"},
    {workshop_file_has_rom, "grace", "/rom", NULL,
     "a second entry of the list, with a '-' as the first has: another name, another 'dir:'"},
    {workshop_is_clone, "ada", NULL, "greeter", "'romsim run -d' makes both of the file"},
    {workshop_is_clone, "grace", NULL, "greeter",
     "'romsim run -d' makes both of the file; the old 'ada' is in its way"},
    {workshop_differs, "ada", "/", "grace", "what does the function in grace's folder say?"},
    {0},
};

/* ---- 8. a bug from elsewhere ---------------------------------------------------------------- */

EMBED(shop, "8/shop.yaml");
EMBED(shop_start, "8/app/start.sh");
EMBED(shop_currency, "8/settings/currency");

static const struct workshop_file files_8[] = {FILE_OF("shop.yaml", shop),
                                               FILE_OF("app/start.sh", shop_start),
                                               FILE_OF("settings/currency", shop_currency),
                                               {0}};

static const struct workshop_step steps_8[] = {
    {workshop_is_case, "case.tar.zst", NULL, NULL,
     "'romsim capture FILE -o CASE' makes one, before anything is mended"},
    {workshop_file_is_right, "shop.yaml", NULL, NULL,
     "each error has its line; 'romsim explain CODE' has the page of a code"},
    {workshop_runs, "shop", NULL, NULL,
     "'romsim run -d' makes it of the file; if it ends at once, the bug is still there"},
    {workshop_says, "shop", "/", "The shop is open", "'romsim logs shop' has what it said"},
    {0},
};

const struct workshop_exercise workshop_exercises[WORKSHOP_EXERCISES] = {
    {files_1, steps_1}, {files_2, steps_2}, {files_3, steps_3}, {files_4, steps_4},
    {files_5, steps_5}, {files_6, steps_6}, {files_7, steps_7}, {files_8, steps_8},
};
