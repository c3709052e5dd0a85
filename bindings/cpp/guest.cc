// SPDX-License-Identifier: MIT

// A guest's program over libxvs in C++, without a cast: standard input to a port of another CID, and the answer to standard output.
//
//     guest call CID PORT
#include <xvs.h>

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Close {
    void operator()(xvs *x) const { xvs_close(x); }
    void operator()(xvs_stream *s) const { xvs_stream_close(s); }
};
using Device = std::unique_ptr<xvs, Close>;
using Stream = std::unique_ptr<xvs_stream, Close>;

[[noreturn]] void fail(const std::string &what, long err)
{
    throw std::runtime_error(what + ": " + std::strerror(-static_cast<int>(err)));
}

Device open_device()
{
    xvs_options options;
    xvs *x = nullptr;

    xvs_options_init(&options);
    options.log_arg = &std::cerr;
    options.log = [](void *to, const char *line) { *static_cast<std::ostream *>(to) << line << '\n'; };
    if (xvs_open(&options, &x))
        throw std::runtime_error(xvs_open_error());
    return Device(x);
}

// Both ways at once: who answers while he reads must not have to wait for us.
void call(xvs *x, uint64_t cid, uint32_t port, const std::string &input)
{
    xvs_stream *raw = nullptr;
    std::vector<char> buffer(65536);
    size_t sent = 0;
    bool shut = false;

    if (int err = xvs_wait_up(x, 10000))
        fail(xvs_reason(x), err);
    if (int err = xvs_connect(x, cid, port, &raw))
        fail("connecting", err);
    Stream s(raw);
    for (;;) {
        ssize_t n;
        xvs_event event;

        while (sent < input.size() && (n = xvs_send(s.get(), input.data() + sent, input.size() - sent, 0)) > 0)
            sent += n;
        if (sent == input.size() && !shut)
            shut = xvs_shutdown(s.get(), SHUT_WR) == 0;
        while ((n = xvs_recv(s.get(), buffer.data(), buffer.size(), 0)) > 0)
            std::cout.write(buffer.data(), n);
        if (n != -EAGAIN && n != -ENOTCONN)
            break;
        if (int err = xvs_wait(x, -1))
            if (err < 0 && err != -EINTR)
                fail("the device", err);
        while (xvs_next_event(x, &event))
            ;
    }
    if (int err = xvs_stream_error(s.get())) {
        unsigned detail = 0;
        int reason = xvs_stream_reason(s.get(), &detail);

        fail(std::string(xvs_reason_text(reason)) + " (" + std::to_string(detail) + ")", err);
    }
}

}

int main(int argc, char **argv)
{
    if (argc != 4 || std::string(argv[1]) != "call") {
        std::cerr << "usage: guest call CID PORT\n";
        return 2;
    }
    try {
        Device x = open_device();
        std::string input{std::istreambuf_iterator<char>(std::cin), {}};

        call(x.get(), std::stoull(argv[2]), static_cast<uint32_t>(std::stoul(argv[3])), input);
        return std::cout.flush() ? 0 : 1;
    } catch (const std::exception &e) {
        std::cerr << "guest: " << e.what() << '\n';
        return 1;
    }
}
