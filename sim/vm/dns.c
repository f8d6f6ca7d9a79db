/* SPDX-License-Identifier: BSD-3-Clause */
/* dns.c: questions for the names of instances, NAME.internal, and their answers (RFC 1035). */
#include "dns.h"

#include "packet.h"

#include <string.h>
#include <strings.h>

enum {
    HEADER_SIZE = 12,
    LABEL_MAX = 63,
    TEXT_MAX = DNS_NAME_MAX - 2, /* without the first length and the last label */
    FLAG_RESPONSE = 0x8000,
    FLAG_AUTHORITY = 0x0400,
    FLAG_RECURSION_WANTED = 0x0100,
    FLAG_RECURSION_GIVEN = 0x0080,
    OPERATION = 0x7800, /* 0: a query */
    CODE_NO_SUCH_NAME = 3,
    TYPE_ADDRESS = 1,
    TYPE_ANY = 255,
    CLASS_INTERNET = 1,
    POINTER_TO_QUESTION = 0xc000 | HEADER_SIZE,
    LIFE_S = 1 /* an instance that is made anew has another address */
};

/* What a part of an instance's name has (cloud-rules §4); a dot within a label would look like one
 * between two. */
static bool is_name_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* The labels as a text with dots, "web.internal", in which '/' stands for what no instance's name
 * has. Returns where the name ends in the message, or 0 if it is none; *ret_last is the last
 * label's place in the text. */
static size_t take_name(const uint8_t *message, size_t size, char ret[DNS_NAME_MAX + 1],
                        size_t *ret_last)
{
    size_t at = HEADER_SIZE, length = 0;

    *ret_last = 0;
    for (; at < size && message[at] != 0; at += 1 + message[at]) {
        size_t label = message[at];

        /* What says that it is longer may be a pointer: a question has none. */
        if (label > LABEL_MAX || label >= size - at || length + 1 + label > TEXT_MAX)
            return 0;
        if (length > 0)
            ret[length++] = '.';
        *ret_last = length;
        for (size_t i = 1; i <= label; i++)
            ret[length++] = is_name_character(message[at + i]) ? (char)message[at + i] : '/';
    }
    ret[length] = '\0';
    return at < size ? at + 1 : 0;
}

bool dns_take(const uint8_t *message, size_t size, struct dns_question *ret)
{
    struct dns_question question;
    size_t end, last;

    if (size < HEADER_SIZE || packet_get16(message + 2) & (FLAG_RESPONSE | OPERATION) ||
        packet_get16(message + 4) != 1 || packet_get16(message + 6) || packet_get16(message + 8))
        return false;
    end = take_name(message, size, question.name, &last);
    if (!end || size - end < 4 || strcasecmp(question.name + last, DNS_DOMAIN) != 0)
        return false;
    question.name[last ? last - 1 : 0] = '\0';
    question.type = packet_get16(message + end);
    question.class = packet_get16(message + end + 2);
    question.end = end + 4;
    *ret = question;
    return true;
}

size_t dns_answer(const uint8_t *message, const struct dns_question *question, uint32_t address,
                  uint8_t ret[DNS_ANSWER_MAX])
{
    bool is_answered = address && question->class == CLASS_INTERNET &&
                       (question->type == TYPE_ADDRESS || question->type == TYPE_ANY);
    unsigned wanted = packet_get16(message + 2) & FLAG_RECURSION_WANTED;
    uint8_t *record = ret + question->end;

    memcpy(ret, message, question->end);
    packet_put16(ret + 2, FLAG_RESPONSE | FLAG_AUTHORITY | wanted | FLAG_RECURSION_GIVEN |
                              (address ? 0 : CODE_NO_SUCH_NAME));
    packet_put16(ret + 6, is_answered);
    packet_put32(ret + 8, 0);
    if (!is_answered)
        return question->end;
    packet_put16(record, POINTER_TO_QUESTION);
    packet_put16(record + 2, TYPE_ADDRESS);
    packet_put16(record + 4, CLASS_INTERNET);
    packet_put32(record + 6, LIFE_S);
    packet_put16(record + 10, 4);
    packet_put32(record + 12, address);
    return question->end + 16;
}
