/* Prints how many time stamp ticks 100,000 system calls take; with qemu's -icount a tick is an instruction. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

int main(void)
{
    unsigned long long start = __rdtsc();
    for (int call = 0; call < 100000; call++)
        syscall(SYS_getppid);
    printf("ticks %llu\n", __rdtsc() - start);
    return 0;
}
