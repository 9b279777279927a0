/* What the system says of this process's memory. */
#ifndef IO_MEMORY_H
#define IO_MEMORY_H

#include <stdint.h>

/* Resident bytes; 0 when the system does not say. */
uint64_t memory_resident(void);
/* What was freed goes back to the system, as far as it can. */
void memory_trim(void);

#endif
