/* Oracles: a message that is accepted has what its type needs and is fit for a frame; a refusal has
 * a text. */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/channel_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct channel_message m = {0};
    struct err_note note = {0};

    if (channel_message_parse(slice_make(p, n), &m, &note) == 0) {
        check(m.filters.n <= GRIP_FILTERS_MAX);
        check(m.type > CHANNEL_UNSUBSCRIBE || m.channel.n > 0);
        check(m.type != CHANNEL_SEND_DELAYED || (m.has_content && m.timeout_s > 0));
        check(m.type != CHANNEL_KEEP_ALIVE || m.timeout_s > 0);
        check(!m.has_content || m.message_type != GRIP_WS_TEXT || utf8_is_valid(m.content));
    } else
        check(note.text[0] && !m.memory.chunks);
    channel_message_done(&m);
    return 0;
}
