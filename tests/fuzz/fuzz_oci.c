/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_oci.c: container images: from an archive's index over manifest and config to layers and one
 * tree.
 *
 * The input is the files, PARTS_MAX at most, separated by a line "%%%"; the first is index.json, or
 * docker's manifest.json if it begins with '['.  In each part {sha:N} and {size:N} stand for the
 * digest and size of a later part: so changed bytes do not only show that digests are compared.
 */
#include "fuzz.h"

#include "sim/image/oci.h"
#include "sim/image/tar_write.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

enum { PARTS_MAX = 8, PART_MAX = 64 << 10, ARCHIVE_MAX = 1 << 20 };

static const char separator[] = "\n%%%\n";

struct part {
    struct romsim_buffer bytes;
    char sha256[ROMSIM_SHA256_HEX_SIZE];
};

static size_t split(const uint8_t *data, size_t size, struct meal *ret)
{
    size_t count = 0;

    while (count < PARTS_MAX) {
        const uint8_t *end = memmem(data, size, separator, strlen(separator));

        ret[count++] = (struct meal){data, end ? (size_t)(end - data) : size};
        if (!end)
            break;
        size -= end + strlen(separator) - data;
        data = end + strlen(separator);
    }
    return count;
}

/* Copies a part and fills in what it says of later ones. */
static void expand(const struct meal *raw, struct part *parts, size_t index, size_t count)
{
    struct part *part = &parts[index];
    const char *at = (const char *)raw->data, *end = at + raw->size;
    uint8_t hash[ROMSIM_SHA256_SIZE];

    while (at < end) {
        size_t other = 0;
        bool is_size = end - at >= 8 && memcmp(at, "{size:", 6) == 0 && at[7] == '}';
        bool is_sha = end - at >= 7 && memcmp(at, "{sha:", 5) == 0 && at[6] == '}';

        if (is_size || is_sha)
            other = (size_t)(at[is_size ? 6 : 5] - '0');
        if (other > index && other < count) {
            if (is_size)
                romsim_buffer_printf(&part->bytes, "%zu", parts[other].bytes.size);
            else
                romsim_buffer_puts(&part->bytes, parts[other].sha256);
            at += is_size ? 8 : 7;
        } else {
            romsim_buffer_append(&part->bytes, at++, 1);
        }
    }
    romsim_sha256(part->bytes.data ? part->bytes.data : "", part->bytes.size, hash);
    romsim_text_hex(hash, sizeof(hash), part->sha256);
}

static void add_file(struct romsim_buffer *archive, const char *name,
                     const struct romsim_buffer *bytes)
{
    static const uint8_t zeros[TAR_BLOCK_SIZE];
    uint8_t header[TAR_BLOCK_SIZE];

    tar_header(name, bytes->size, header);
    romsim_buffer_append(archive, header, sizeof(header));
    romsim_buffer_append(archive, bytes->data ? bytes->data : "", bytes->size);
    romsim_buffer_append(archive, zeros, tar_padded(bytes->size) - bytes->size);
}

static struct romsim_blob *make_archive(struct part *parts, size_t count, bool docker)
{
    struct romsim_buffer archive = ROMSIM_BUFFER_INIT(ARCHIVE_MAX);
    static char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    const struct romsim_buffer layout = {.data = version, .size = strlen(version)};
    static const uint8_t zeros[TAR_END_SIZE];
    struct romsim_blob *blob = NULL;
    char name[TAR_NAME_MAX];

    if (!docker)
        add_file(&archive, "oci-layout", &layout);
    add_file(&archive, docker ? "manifest.json" : "index.json", &parts[0].bytes);
    for (size_t i = 1; i < count; i++) {
        snprintf(name, sizeof(name), docker ? "%.0s%zu" : "blobs/sha256/%s", parts[i].sha256, i);
        add_file(&archive, name, &parts[i].bytes);
    }
    romsim_buffer_append(&archive, zeros, sizeof(zeros));
    if (!archive.failed)
        blob = romsim_blob_from_bytes(archive.data, archive.size, NULL);
    romsim_buffer_reset(&archive);
    return blob;
}

static void use_image(struct oci_source *source, const struct oci_image *image)
{
    struct romsim_rom_image rom = {0};

    if (oci_image_count(image, OCI_ROLE_ROM)) {
        if (oci_rom(source, image, "fuzz", &rom, NULL) == 0)
            romsim_rom_image_release(&rom);
        return;
    }
    romsim_tree_free(oci_tree(source, image, NULL));
}

/* As the path of an archive is opened, which is told by its content, and its names are read. */
static void open_path(struct romsim_blob *blob, bool docker)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    struct romsim_strings names = {0};
    struct romsim_error err = {0};
    int found = oci_open_blob(blob, NULL, "fuzz", &source, &image, &err);

    FUZZ_CHECK(found >= 0 || err.message[0], "refused without a reason");
    if (found > 0)
        (docker ? docker_archive_names : oci_names)(source, &names, NULL);
    romsim_strings_clear(&names);
}

static void load(struct romsim_blob *blob, bool docker)
{
    struct romsim_error err = {0};
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_blob(blob, "fuzz", &err);
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    struct oci_descriptor manifest;

    if (!source)
        return;
    if (docker) {
        if (docker_archive_load(source, NULL, &image, &err) == 0)
            use_image(source, &image);
        return;
    }
    if (oci_index_find(source, NULL, &manifest, &err) >= 0 &&
        oci_image_load(source, &manifest, &image, &err) == 0)
        use_image(source, &image);
    else
        FUZZ_CHECK(err.message[0], "refused without a reason");
    if (getenv("FUZZ_TRACE"))
        fprintf(stderr, "%s\n", err.message);
}

FUZZ_REFUSE_LARGE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct meal raw[PARTS_MAX];
    struct part parts[PARTS_MAX];
    size_t count = split(data, size, raw);
    bool docker = size && data[0] == '[';
    struct romsim_blob *blob;

    for (size_t i = count; i-- > 0;) {
        parts[i] = (struct part){.bytes = ROMSIM_BUFFER_INIT(PART_MAX)};
        expand(&raw[i], parts, i, count);
    }
    blob = make_archive(parts, count, docker);
    if (blob) {
        load(blob, docker);
        open_path(blob, docker);
    }
    romsim_blob_unref(blob);
    for (size_t i = 0; i < count; i++)
        romsim_buffer_reset(&parts[i].bytes);
    return 0;
}
