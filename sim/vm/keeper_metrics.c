/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_metrics.c: the request "metrics": what an instance uses (cloud-api §1.3).
 *
 * What went over its network only the guest knows, so who asks is answered when the guest has
 * answered, or when it has had its time: an app may have stolen the line from init.
 */
#include "keeper_parts.h"

#include "usage.h"

#include <romsim/clock.h>

enum { GUEST_MS = 300 };

static void set_number(json_t *item, const char *key, uint64_t number)
{
    json_object_set_new(item, key,
                        json_integer((json_int_t)(number > INT64_MAX ? INT64_MAX : number)));
}

/* What is told of it anyway. */
static void copy_history(const struct keeper *keeper, json_t *ret)
{
    static const char *const members[] = {
        "uuid",       "name",       "state",     "start_count",  "restart_count",
        "started_at", "stopped_at", "uptime_ms", "boot_time_us", "net_time_us"};
    json_t *item = keeper_describe(keeper);

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (json_object_get(item, members[i]))
            json_object_set(ret, members[i], json_object_get(item, members[i]));
    json_decref(item);
}

static json_t *metrics(const struct keeper *keeper)
{
    json_t *item = json_object();
    struct run_traffic traffic = {0};
    struct usage usage = {0};
    unsigned connections = 0;

    copy_history(keeper, item);
    if (keeper->run) {
        traffic = *run_traffic(keeper->run);
        usage = usage_of(run_qemu(keeper->run));
        connections = usage_connections(keeper->config->plan->forwards, keeper->layout->port_count);
    }
    set_number(item, "rss_bytes", usage.rss_bytes);
    set_number(item, "cpu_time_ms", usage.cpu_ms);
    set_number(item, "rx_bytes", traffic.rx_bytes);
    set_number(item, "rx_packets", traffic.rx_packets);
    set_number(item, "tx_bytes", traffic.tx_bytes);
    set_number(item, "tx_packets", traffic.tx_packets);
    set_number(item, "nconns", connections);
    return item;
}

json_t *keeper_measure(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    (void)request;
    if (!keeper->run || !run_ask_traffic(keeper->run))
        return metrics(keeper);
    client->awaits_metrics = true;
    if (!keeper->metrics_time) {
        keeper->metrics_time = romsim_clock_us() + GUEST_MS * 1000;
        keeper->metrics_answers = run_traffic(keeper->run)->answers;
    }
    return NULL;
}

void keeper_answer_metrics(struct keeper *keeper)
{
    if (!keeper->metrics_time ||
        (keeper->run && run_traffic(keeper->run)->answers == keeper->metrics_answers &&
         romsim_clock_us() < keeper->metrics_time))
        return;
    keeper->metrics_time = 0;
    for (size_t i = 0; i < keeper->clients.count; i++) {
        struct keeper_client *client = keeper->clients.items[i];

        if (client->awaits_metrics)
            channel_answer(&client->channel, metrics(keeper));
        client->awaits_metrics = false;
    }
}
