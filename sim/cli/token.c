/* SPDX-License-Identifier: BSD-3-Clause */
/* token.c: what who asks `romsim serve` has to know. */
#include "token.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { SECRET_SIZE = 32 };

/* Makes the file, unless another process is quicker. */
static int make(const char *path, struct romsim_error *err)
{
    char secret[SECRET_SIZE + 2];
    CLEANUP_FREE char *draft = NULL;
    int status = 0;

    if (!romsim_random_suffix(secret, SECRET_SIZE))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    secret[SECRET_SIZE] = '\n';
    if (asprintf(&draft, "%s.new.%d", path, (int)getpid()) < 0) {
        draft = NULL;
        return romsim_error_nomem(err);
    }
    if (romsim_file_replace(draft, secret, SECRET_SIZE + 1, err) < 0)
        return -1;
    if (link(draft, path) < 0 && errno != EEXIST)
        status = romsim_error_system(err, errno, "cannot make '%s'", QUOTE(path));
    unlink(draft);
    return status;
}

static int read_secret(const char *path, char secret[SECRET_SIZE + 2], struct romsim_error *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    int problem;

    if (fd < 0 || fstat(fd, &st) < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(path));
    if (st.st_uid != geteuid() || (st.st_mode & 077))
        romsim_error_set(err, EPERM, "others than you can read or have made '%s'", QUOTE(path));
    else if ((problem = romsim_read_fully(fd, secret, SECRET_SIZE + 1, 0)) != 0 ||
             secret[SECRET_SIZE] != '\n' ||
             strspn(secret, "abcdefghijklmnopqrstuvwxyz0123456789") != SECRET_SIZE)
        romsim_error_set(err, EINVAL, "'%s' has no secret of romsim's", QUOTE(path));
    else
        return 0;
    return romsim_error_hint(err, "remove it, and a new one is made");
}

/* `makes`: a new one if there is none, else that is ENOENT. */
static char *read_token(const char *organization, bool makes, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = makes ? romsim_path_data("", err) : romsim_path_data_name("", err);
    CLEANUP_FREE char *path = folder ? romsim_path_join(folder, "token") : NULL;
    char secret[SECRET_SIZE + 2] = "", pair[256 + SECRET_SIZE];
    char *token;
    struct stat st;

    if (!folder)
        return NULL;
    if (!path) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (lstat(path, &st) < 0 && errno == ENOENT) {
        if (!makes)
            romsim_error_set(err, ENOENT, "there is no token yet");
        if (!makes || make(path, err) < 0)
            return NULL;
    }
    if (read_secret(path, secret, err) < 0)
        return NULL;
    snprintf(pair, sizeof(pair), "%s:%.*s", organization, SECRET_SIZE, secret);
    token = romsim_base64_encode(pair, strlen(pair));
    if (!token)
        romsim_error_nomem(err);
    return token;
}

char *token_of(const char *organization, struct romsim_error *err)
{
    return read_token(organization, true, err);
}

char *token_kept(const char *organization, struct romsim_error *err)
{
    return read_token(organization, false, err);
}
