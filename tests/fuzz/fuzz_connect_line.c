/* SPDX-License-Identifier: MIT */
/* fuzz_connect_line.c: a client may send its bytes in any pieces; the answer must be the same, and within bounds. */
#include "../../common/sockets/connect_line.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    enum connect_verb verb = CONNECT_STREAM, early_verb = CONNECT_STREAM;
    uint32_t number = 0, early = 0;
    int whole = connect_line_parse(bytes, size, &verb, &number);

    must(whole == -EINVAL || (whole >= 0 && whole <= CONNECT_LINE_MAX && (size_t)whole <= size));
    must(whole <= 0 || bytes[whole - 1] == '\n');
    must(whole <= 0 || (*bytes | 32) == "ccwvw"[verb]);
    for (size_t n = 0; n <= size && n <= CONNECT_LINE_MAX; n++) {
        int part = connect_line_parse(bytes, n, &early_verb, &early);

        /* A piece is judged as the whole is, or not yet. */
        must(part == 0 || part == whole);
        must(part <= 0 || (early == number && early_verb == verb));
    }
    return 0;
}
