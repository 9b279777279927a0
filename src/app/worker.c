#include <stdio.h>
#include <string.h>

#include "app/worker_config.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--config") == 0)
        return worker_config(argc - 2, argv + 2);
    puts("holdfast " HOLDFAST_VERSION);
    return 0;
}
