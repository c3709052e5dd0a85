/* SPDX-License-Identifier: MIT */
/* replay.c FOLDER: a fuzz target without a fuzzer: it plays the inputs of a folder, in order.  For builds that a fuzzer's compiler
 * does not make: with coverage, or with a change that somebody should notice. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Targets with mutations of their own name it; nothing is changed here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
    (void)data, (void)max;
    return size;
}

static int no_dot(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    static uint8_t data[1 << 20];
    struct dirent **entries;
    int count = argc == 2 ? scandir(argv[1], &entries, no_dot, alphasort) : -1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        char path[600];
        FILE *f;
        size_t size;

        snprintf(path, sizeof path, "%.300s/%.255s", argv[1], entries[i]->d_name);
        f = fopen(path, "r");
        if (!f) {
            printf("FAIL %s: cannot be read\n", path);
            return 1;
        }
        size = fread(data, 1, sizeof data, f);
        fclose(f);
        LLVMFuzzerTestOneInput(data, size);     /* what it finds ends the program */
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    printf("%s replay: %d inputs\n", count > 0 ? "ok" : "FAIL", count);
    printf("%d passed, %d failed, 0 skipped\n", count > 0, count <= 0);
    return count > 0 ? 0 : 1;
}
