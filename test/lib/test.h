/* cmocka with its preamble, and TEST(name) so that a test file reads as a list of behaviours. */
#ifndef TEST_LIB_TEST_H
#define TEST_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST(name) static void name(void **state_)

#endif
