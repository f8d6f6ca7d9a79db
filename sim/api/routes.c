/* SPDX-License-Identifier: BSD-3-Clause */
/* routes.c: all that is served. */
#include "api.h"

/* clang-format off: a line for each, as several add theirs */
const struct api_route *const api_routes[] = {
    api_instance_routes,
    api_volume_routes,
    api_autoscale_routes,
    api_service_routes,
    api_certificate_routes,
    api_account_routes,
    api_image_routes,
    api_openapi_routes,
    api_registry_routes,
    api_page_routes,
    NULL,
};
/* clang-format on */
