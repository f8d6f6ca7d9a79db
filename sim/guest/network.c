/* SPDX-License-Identifier: BSD-3-Clause */
/* network.c: one address, told by the host; no DHCP, which would cost a second. */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_address(struct sockaddr *ret, in_addr_t address)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr = {address}};

    memcpy(ret, &inet, sizeof(inet));
}

static int interface_switch(int fd, const char *name, bool up)
{
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return -1;
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

/* The hardware's address follows from the other (cloud-api §5): 12:b0 and its four bytes. */
static int interface_hardware(int fd, const char *name, const char *text)
{
    struct ifreq request = {0};
    unsigned char *bytes = (unsigned char *)request.ifr_hwaddr.sa_data;
    char address[32];
    in_addr_t own;

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "/"), text);
    own = inet_addr(address);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    bytes[0] = 0x12;
    bytes[1] = 0xb0;
    memcpy(bytes + 2, &own, sizeof(own));
    return ioctl(fd, SIOCSIFHWADDR, &request);
}

/* Sets an address "10.0.0.2/24". */
static int interface_address(int fd, const char *name, const char *text)
{
    struct ifreq request = {0};
    char address[32];
    const char *slash = strchr(text, '/');
    long prefix = slash ? manifest_number(slash + 1, 32) : 32;
    in_addr_t mask = prefix > 0 ? htonl(~0U << (32 - prefix)) : 0;

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "/"), text);
    set_address(&request.ifr_addr, inet_addr(address));
    if (prefix < 0 || ioctl(fd, SIOCSIFADDR, &request) < 0)
        return -1;
    set_address(&request.ifr_netmask, mask);
    return ioctl(fd, SIOCSIFNETMASK, &request);
}

static int default_route(int fd, const char *gateway)
{
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};

    set_address(&route.rt_dst, INADDR_ANY);
    set_address(&route.rt_genmask, INADDR_ANY);
    set_address(&route.rt_gateway, inet_addr(gateway));
    return ioctl(fd, SIOCADDRT, &route);
}

static bool has_text(const char *path, const char *text)
{
    char found[512];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size = fd < 0 ? -1 : read(fd, found, sizeof(found));

    if (fd >= 0)
        close(fd);
    return size >= 0 && (size_t)size == strlen(text) && memcmp(found, text, (size_t)size) == 0;
}

/* Opens a file of /etc to be written anew: another in its place, since an image may have a dangling
 * link there; or, for a clone, whose file is most likely init's own, the same one, which is
 * quicker. -1: an /etc that cannot be written is the image's choice. */
static int open_anew(const char *path, bool may_be_ours)
{
    int fd =
        may_be_ours ? open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

    if (fd >= 0 || make_directories("/etc") < 0)
        return fd;
    unlink(path);
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

static void write_file(const char *path, const char *text, bool may_be_ours)
{
    int fd = has_text(path, text) ? -1 : open_anew(path, may_be_ours);

    if (fd < 0)
        return;
    dprintf(fd, "%s", text);
    close(fd);
}

static void write_names(const struct manifest *manifest, bool may_be_ours)
{
    char text[512];

    if (manifest->hostname) {
        sethostname(manifest->hostname, strlen(manifest->hostname));
        snprintf(text, sizeof(text), "%s\n", manifest->hostname);
        write_file("/etc/hostname", text, may_be_ours);
        snprintf(text, sizeof(text), "127.0.0.1\tlocalhost\n::1\tlocalhost\n%.*s\t%s\n",
                 manifest->address ? (int)strcspn(manifest->address, "/") : 9,
                 manifest->address ? manifest->address : "127.0.1.1", manifest->hostname);
        if (access("/etc/hosts", F_OK) < 0)
            write_file("/etc/hosts", text, may_be_ours);
    }
    if (manifest->nameserver) {
        snprintf(text, sizeof(text), "nameserver %s\n", manifest->nameserver);
        write_file("/etc/resolv.conf", text, may_be_ours);
    }
}

static void bring_up(int fd, const struct manifest *manifest)
{
    if (!manifest->address)
        return;
    if (interface_address(fd, "eth0", manifest->address) < 0 ||
        interface_switch(fd, "eth0", true) < 0)
        fail(errno, "cannot bring the network up (virtio_net)");
    if (manifest->gateway && default_route(fd, manifest->gateway) < 0 && errno != EEXIST)
        fail(errno, "cannot set the gateway");
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail(errno, "this kernel has no network");
    return fd;
}

void network_up(const struct manifest *manifest)
{
    int fd = open_socket();

    interface_switch(fd, "lo", true);
    bring_up(fd, manifest);
    close(fd);
    write_names(manifest, false);
}

/* The driver takes another hardware address while the interface is up; down and up again would cost
 * a clone 30 ms. */
void network_change(const struct manifest *manifest)
{
    int fd = open_socket();

    if (manifest->address && interface_hardware(fd, "eth0", manifest->address) < 0 &&
        (interface_switch(fd, "eth0", false) < 0 ||
         interface_hardware(fd, "eth0", manifest->address) < 0))
        fail(errno, "cannot change the network's address");
    bring_up(fd, manifest);
    close(fd);
    write_names(manifest, true);
}

/* What the kernel has counted; the app is root, and may have taken /sys away: then it is nothing.
 */
static unsigned long long counted(const char *what)
{
    char path[64], text[32];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "/sys/class/net/eth0/statistics/%s", what);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    return strtoull(text, NULL, 10);
}

void network_report(void)
{
    control_send("traffic %llu %llu %llu %llu", counted("rx_bytes"), counted("rx_packets"),
                 counted("tx_bytes"), counted("tx_packets"));
}
