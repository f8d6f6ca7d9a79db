/* SPDX-License-Identifier: BSD-3-Clause */
/* descriptors.c: descriptors that are kept in hand. */
#include <romsim/descriptors.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void romsim_spares_release(struct romsim_spares *spares)
{
    while (spares->count > 0)
        close(spares->items[--spares->count]);
}

int romsim_spares_hold(struct romsim_spares *spares, unsigned count, const char *what,
                       struct romsim_error *err)
{
    unsigned before = spares->count;
    int problem = before + count > ROMSIM_SPARES_MAX ? EMFILE : 0;

    while (!problem && spares->count < before + count) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            problem = errno;
        else
            spares->items[spares->count++] = fd;
    }
    if (!problem)
        return 0;
    while (spares->count > before)
        close(spares->items[--spares->count]);
    return romsim_error_system(err, problem, "%s needs to open %u files more", what, count);
}

int romsim_descriptors_check(unsigned count, const char *what, struct romsim_error *err)
{
    struct romsim_spares spares = {.count = 0};

    if (romsim_spares_hold(&spares, count, what, err) < 0)
        return -1;
    romsim_spares_release(&spares);
    return 0;
}
