/* SPDX-License-Identifier: MIT */
/* half.c: half BYTES cmd args...: runs a command whose standard input gives so many bytes and then fails with EIO, as a broken disk does.
 *
 * It is this program's memory, up to a page that nobody may read.  Its exit status is the command's; a signal to it goes there. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int signal)
{
    kill(child, signal);
}

int main(int argc, char **argv)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    size_t whole = (bytes + page - 1) / page * page;
    char *memory;
    int fd, status;

    if (!bytes) {
        fprintf(stderr, "usage: half BYTES cmd args...\n");
        return 2;
    }
    memory = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || munmap(memory + whole, page) || (fd = open("/proc/self/mem", O_RDONLY)) < 0 ||
        lseek(fd, (off_t)(uintptr_t)(memory + whole - bytes), SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0) {
        perror("half");
        return 2;
    }
    memset(memory, 'h', whole);
    if ((child = fork()) == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    signal(SIGTERM, pass_on);
    while (waitpid(child, &status, 0) != child)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
