/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timings.c: how long each step of a start took.
 *
 * A step ends where the next one begins, so that they add up to the whole.  What is done at a time
 * of its own, QEMU's answer and the guest's boot, is in the order in which it was done.
 */
#include "timings.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 32, OWN_STEPS_MAX = 4 };

/* Known steps, and what was done in them. */
static const struct {
    const char *name, *what;
} steps[] = {
    {"instance", "romsim: read and checked what there is to start"},
    {"processor", "romsim: chose the processor"},
    {"images", "romsim: found or built the root and the ROMs"},
    {"begin", "romsim: claimed the ports, started the instance's keeper"},
    {"saved", "the VM booted, and was saved before its app began (--watch)"},
    {"drives", "romsim: opened the drives"},
    {"qemu", "QEMU started and answers"},
    {"firmware", "the firmware, and the kernel until its clock runs"},
    {"kernel", "the guest's kernel, until it started init"},
    {"modules", "init: loaded the kernel's modules"},
    {"lines", "init: opened the lines to the host"},
    {"devices", "init: read the manifest, made the devices' nodes"},
    {"root", "init: mounted the root"},
    {"network", "init: set up the network"},
    {"mounts", "init: mounted the ROMs and volumes"},
    {"app", "init: started the app"},
    {"output", "the app: until its first output"},
    {"port", "the app: until its port accepts connections"},
};

struct step {
    unsigned kind; /* of `steps` */
    uint64_t end;  /* microseconds of the monotonic clock */
};

struct start {
    struct step steps[STEPS_MAX];
    size_t count;
    uint64_t first, begin; /* when the whole began, and the keeper's part */
    bool has_ports, runs, is_over;
};

struct timings {
    struct start own; /* before there are instances */
    struct start *starts;
    size_t count;
};

struct timings *timings_new(void)
{
    struct timings *timings = calloc(1, sizeof(*timings));

    if (timings)
        timings->own.first = romsim_clock_us();
    return timings;
}

void timings_free(struct timings *timings)
{
    if (timings)
        free(timings->starts);
    free(timings);
}

/* Adds a step behind those that ended before it, one of a name. */
static void add(struct start *start, const char *name, uint64_t end)
{
    size_t kind = 0, place = start->count;

    while (kind < sizeof(steps) / sizeof(steps[0]) && strcmp(steps[kind].name, name) != 0)
        kind++;
    if (kind == sizeof(steps) / sizeof(steps[0]) || start->count == STEPS_MAX)
        return;
    for (size_t i = 0; i < start->count; i++)
        if (start->steps[i].kind == kind)
            return;
    while (place > 0 && start->steps[place - 1].end > end) {
        start->steps[place] = start->steps[place - 1];
        place--;
    }
    start->steps[place] = (struct step){(unsigned)kind, end};
    start->count++;
}

void timings_done(struct timings *timings, const char *step)
{
    if (timings)
        add(&timings->own, step, romsim_clock_us());
}

void timings_expect(struct timings *timings, struct romsim_layout *const *layouts, size_t count)
{
    if (!timings || !(timings->starts = calloc(count + 1, sizeof(struct start))))
        return;
    timings->count = count;
    for (size_t i = 0; i < count; i++) {
        timings->starts[i] = timings->own;
        timings->starts[i].has_ports = layouts[i]->port_count > 0;
    }
}

/* An instance that starts again has a start of its own. */
static void begin(struct start *start, uint64_t micros)
{
    if (start->begin)
        *start = (struct start){.first = micros, .has_ports = start->has_ports};
    else
        add(start, "begin", micros);
    start->begin = micros;
}

/* What a boot says that init times itself comes later here, by the way to the host. */
static bool is_timed_by_init(const char *phase)
{
    return strcmp(phase, "devices") == 0 || strcmp(phase, "root") == 0 ||
           strcmp(phase, "mounts") == 0;
}

/* True when the start is over. */
static bool take_phase(struct start *start, const char *phase, uint64_t micros)
{
    if (is_timed_by_init(phase))
        return false;
    add(start, phase, start->begin + micros);
    start->runs |= strcmp(phase, "app") == 0;
    return !start->has_ports && strcmp(phase, "output") == 0;
}

bool timings_take(struct timings *timings, size_t instance, const struct romsim_vm_event *event)
{
    struct start *start = timings && instance < timings->count ? &timings->starts[instance] : NULL;
    bool was_over = start && start->is_over;

    if (!start)
        return false;
    switch (event->kind) {
    case ROMSIM_VM_TIMING:
        if (strcmp(event->text, "begin") == 0)
            begin(start, event->micros);
        else
            add(start, event->text, event->micros);
        return false;
    case ROMSIM_VM_PHASE:
        start->is_over |= take_phase(start, event->text, event->micros);
        break;
    case ROMSIM_VM_PORT:
        add(start, "port", start->begin + event->micros);
        start->is_over = true;
        break;
    case ROMSIM_VM_EXIT:
    case ROMSIM_VM_FAILED:
        start->is_over = true;
        break;
    default:
        break;
    }
    return start->is_over && !was_over;
}

bool timings_has_more(const struct timings *timings, size_t instance)
{
    return timings && instance < timings->count && timings->starts[instance].runs &&
           !timings->starts[instance].is_over;
}

static const struct start *find(const struct timings *timings, size_t instance)
{
    return timings && instance < timings->count && timings->starts[instance].count
               ? &timings->starts[instance]
               : NULL;
}

void timings_print(const struct timings *timings, size_t instance, struct romsim_buffer *out)
{
    const struct start *start = find(timings, instance);
    uint64_t last = start ? start->first : 0;

    if (!start)
        return;
    romsim_buffer_printf(out, "how long the start took, in milliseconds:");
    for (size_t i = 0; i < start->count; i++) {
        const struct step *step = &start->steps[i];

        romsim_buffer_printf(out, "\n%10.1f  %-9s  %s", (double)(step->end - last) / 1e3,
                             steps[step->kind].name, steps[step->kind].what);
        last = step->end;
    }
    romsim_buffer_printf(out, "\n%10.1f  %-9s", (double)(last - start->first) / 1e3, "in all");
}

void timings_print_json(const struct timings *timings, size_t instance, const char *name,
                        struct romsim_buffer *out)
{
    const struct start *start = find(timings, instance);
    json_t *list = json_array(), *object;
    uint64_t last = start ? start->first : 0;
    CLEANUP_FREE char *text = NULL;

    for (size_t i = 0; start && i < start->count; i++) {
        const struct step *step = &start->steps[i];

        json_array_append_new(list, json_pack("{s:s, s:I}", "step", steps[step->kind].name,
                                              "time_us", (json_int_t)(step->end - last)));
        last = step->end;
    }
    object = json_pack("{s:s, s:o, s:I}", "name", name, "steps", list, "time_us",
                       (json_int_t)(start ? last - start->first : 0));
    text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (start && text)
        romsim_buffer_printf(out, "%s\n", text);
}
