/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h: how romsim's functions say what went wrong.
 *
 * A function that can fail returns an int (0 or -1, sometimes 1/0/-1 for found/not found/failed)
 * or a pointer (NULL on failure), and fills a `struct romsim_error` that the caller hands in.  The
 * level that knows most writes the message, levels above may add one prefix each with
 * romsim_error_context(), and only sim/cli prints.  Every function accepts a NULL error: then the
 * message is lost and the return value is all there is.
 *
 * Messages are for people: lower case, no full stop, they say what and which.  `hint` says what
 * would be right, where that is not obvious.  Names that come from foreign input are put into a
 * message with romsim_text_quote() (text.h), so that a message never carries terminal controls.
 */
#ifndef ROMSIM_ERROR_H
#define ROMSIM_ERROR_H

#include <romsim/rules.h>

#include <stdarg.h>
#include <stddef.h>

/*
 * The codes of the cloud's REST API (cloud-rules §1, [S]).  Errors that a request to the cloud
 * would meet carry the code that the cloud would send; all others carry ROMSIM_CLOUD_UNKNOWN_ERROR.
 */
enum romsim_cloud_code {
    ROMSIM_CLOUD_UNKNOWN_ERROR = 0,
    ROMSIM_CLOUD_NOT_SUPPORTED = 1,
    ROMSIM_CLOUD_WRONG_METHOD = 2,
    ROMSIM_CLOUD_NO_API_ENDPOINT = 3,
    ROMSIM_CLOUD_FAIL_NOT_ALL = 4,
    ROMSIM_CLOUD_TOO_MANY = 5,
    ROMSIM_CLOUD_UNKNOWN = 6,
    ROMSIM_CLOUD_INVALID = 7,
    ROMSIM_CLOUD_NOT_FOUND = 8,
    ROMSIM_CLOUD_NO_FREE = 9,
    ROMSIM_CLOUD_FAILED_OPERATION = 10,
    ROMSIM_CLOUD_WRONG_VM_STATE = 11,
    ROMSIM_CLOUD_TIMED_OUT = 12,
    ROMSIM_CLOUD_MISSING_ID = 13,
    ROMSIM_CLOUD_NOT_ALLOWED = 14,
    ROMSIM_CLOUD_ATTACHED = 15,
    ROMSIM_CLOUD_MALFORMED_REQUEST = 16,
    ROMSIM_CLOUD_NOT_BOTH = 17,
    ROMSIM_CLOUD_ADD_SERVICE = 18,
    ROMSIM_CLOUD_QUOTA = 19,
    ROMSIM_CLOUD_GUEST_MEMORY_TOO_SMALL = 20,
    ROMSIM_CLOUD_NOT_ATTACHED = 21,
    ROMSIM_CLOUD_TOO_LONG = 22,
    ROMSIM_CLOUD_ALREADY_EXISTS = 23,
    ROMSIM_CLOUD_CANNOT_BE_USED = 24,
    ROMSIM_CLOUD_AUTOSCALE_INSTANCE = 25, /* these: cloud-api §1.2 */
    ROMSIM_CLOUD_AUTOSCALE_CONFIGURED = 26,
    ROMSIM_CLOUD_AUTOSCALE_NOT_CONFIGURED = 27,
    ROMSIM_CLOUD_AUTOSCALE_DISABLED = 28,
    ROMSIM_CLOUD_AUTOSCALE_SIZE = 29,
    ROMSIM_CLOUD_CERTIFICATE_NAME = 30,
};

/* Where in an input something stands.  line 0 means: no place known. */
struct romsim_place {
    char file[256];    /* as the user named it; shortened from the left when longer */
    unsigned line;     /* from 1 */
    unsigned column;   /* from 1, in characters (code points), not bytes */
    char excerpt[160]; /* the line's text around the column, without its newline; may be empty */
    unsigned caret;    /* from 1, the column inside `excerpt`; 0 without an excerpt */
};

struct romsim_error {
    enum romsim_cloud_code cloud; /* what the cloud's API would call it */
    int errnum;                   /* the kind, as an errno: EINVAL bad input, EUCLEAN damaged image,
                                     EOPNOTSUPP feature not supported, ENOENT, ENOMEM, EIO, ... */
    enum romsim_rule rule;        /* that is broken, for its code; or ROMSIM_RULE_NONE */
    struct romsim_place place;
    char message[1024];
    char hint[512]; /* what would be right; empty when the message says it all */
};

/*
 * Sets *err (if not NULL) to a message made with printf's rules; place and hint become empty,
 * `cloud` ROMSIM_CLOUD_UNKNOWN_ERROR and `rule` ROMSIM_RULE_NONE.  A message that is too long is
 * cut with "...".
 * Returns -1, so that `return romsim_error_set(...)` reads well.
 */
int romsim_error_set(struct romsim_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As romsim_error_set(), and adds ": " and strerror(errnum). */
int romsim_error_system(struct romsim_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "CONTEXT: " before the message that *err has.  Returns -1. */
int romsim_error_context(struct romsim_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "MESSAGE (HINT)", for where an error is one text; malloc'ed, NULL without memory. */
char *romsim_error_text(const struct romsim_error *err);

/* Sets the hint of *err.  Returns -1. */
int romsim_error_hint(struct romsim_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says which rule was broken.  Returns -1. */
int romsim_error_rule(struct romsim_error *err, enum romsim_rule rule);

/* "out of memory", ENOMEM.  Returns -1. */
int romsim_error_nomem(struct romsim_error *err);

/*
 * A list of errors and warnings in the order in which they were found.  Zero-initialised it is
 * empty and ready.  It keeps at most ROMSIM_DIAGNOSTICS_MAX entries, and counts the rest.
 * Not thread-safe.
 */
enum { ROMSIM_DIAGNOSTICS_MAX = 200 };

struct romsim_diagnostic {
    int is_warning;
    struct romsim_error error;
};

struct romsim_diagnostics {
    struct romsim_diagnostic *entries;
    size_t count;    /* entries kept */
    size_t errors;   /* all errors, kept or not */
    size_t warnings; /* all warnings, kept or not */
};

/* Appends a copy of *error.  Without memory the entry is only counted. */
void romsim_diagnostics_add(struct romsim_diagnostics *diagnostics,
                            const struct romsim_error *error, int is_warning);

/* Puts the entries from `first` on into the order of their places; those of one place stay in the
 * order in which they came. */
void romsim_diagnostics_sort(struct romsim_diagnostics *diagnostics, size_t first);

/* Frees the entries and makes the list empty again.  Accepts NULL. */
void romsim_diagnostics_clear(struct romsim_diagnostics *diagnostics);

#endif
