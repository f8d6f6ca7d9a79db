/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * needs.c: what an instance takes of this machine.
 *
 * Measured with Linux 6.1 in the guest and QEMU 7.2 (docs/performance.md).  The guest's kernel and
 * what it unpacks touch GUEST_START of its memory, whatever it has; the rest is taken as the app
 * asks for it, or reads files.  Under emulation QEMU keeps the code that it has translated: as much
 * as the boot and a small app make of it, since more comes only with more code (1 GiB is its
 * bound).
 */
#include <romsim/needs.h>

#include <romsim/checked.h>

#include <fcntl.h>

#define MIB(n) (UINT64_C(n) << 20)

#define GUEST_START MIB(90)
#define QEMU_PLAIN  MIB(24)
#define QEMU_CODE   MIB(50) /* translated */
#define KEEPER      MIB(3)  /* 2.3 with Debian 13's libraries, 1.2 with 12's; */
#define SERVER      MIB(3)  /* and as much */
#define CLONE_SHARE 8 /* a clone has changed a part of its template's memory: one of so many */

/* A memfd, and what is in a file system in memory. */
static bool is_in_memory(const struct romsim_blob *blob)
{
    uint64_t offset;
    int fd = romsim_blob_fd(blob, &offset);

    return fd >= 0 && fcntl(fd, F_GET_SEALS) >= 0;
}

void romsim_needs_of(const struct romsim_layout *layout, enum romsim_accel accel, bool no_fuse,
                     struct romsim_needs *ret)
{
    uint64_t guest = layout->guest_memory_mb << 20;

    *ret = (struct romsim_needs){.guest = guest,
                                 .guest_start = layout->template ? guest / CLONE_SHARE
                                                                 : min_u64(guest, GUEST_START),
                                 .qemu = QEMU_PLAIN + (accel == ROMSIM_ACCEL_KVM ? 0 : QEMU_CODE),
                                 .keeper = KEEPER,
                                 .server = no_fuse ? 0 : SERVER};
    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (device->blob && is_in_memory(device->blob))
            ret->inlined += romsim_blob_size(device->blob);
        else if (device->blob)
            ret->images += romsim_blob_size(device->blob);
    }
}

static uint64_t beside_guest(const struct romsim_needs *needs)
{
    return needs->qemu + needs->keeper + needs->server + needs->inlined;
}

uint64_t romsim_needs_start(const struct romsim_needs *needs)
{
    return needs->guest_start + beside_guest(needs);
}

uint64_t romsim_needs_most(const struct romsim_needs *needs)
{
    return needs->guest + beside_guest(needs);
}

uint64_t romsim_needs_fit(const struct romsim_needs *needs, uint64_t memory_free, uint64_t most)
{
    uint64_t largest = romsim_needs_most(needs);

    if (memory_free == ROMSIM_CAPACITY_ANY)
        return most;
    if (memory_free < largest)
        return 0;
    return min_u64(1 + (memory_free - largest) / romsim_needs_start(needs), most);
}
