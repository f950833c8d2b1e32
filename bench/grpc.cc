// SPDX-FileCopyrightText: The Reeve authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

// A peer: gRPC's asynchronous C++ interface on a unix socket, with one thread
// for completions at each end. Messages are empty and made without protobuf,
// which an empty message would hardly need.
//
// grpc serve PATH: says on its output, by four bytes, that it listens.
// grpc call PATH N_CLIENTS DEPTH: for each line with a number of milliseconds
// calls for so long, and prints the microseconds of a call and how many were
// made.

namespace
{

// ---------------------------------------------------------------- server ---

class ServedCall
{
public:
  ServedCall (grpc::AsyncGenericService *service,
              grpc::ServerCompletionQueue *queue)
      : service_ (service), queue_ (queue), stream_ (&context_)
  {
    service_->RequestCall (&context_, &stream_, queue_, queue_, this);
  }

  void step (bool is_good)
  {
    switch (state_++) {
    case 0:
      if (is_good)
        new ServedCall (service_, queue_);
      stream_.Read (&message_, this);
      break;
    case 1:
      stream_.WriteAndFinish (message_, grpc::WriteOptions (), grpc::Status::OK,
                              this);
      break;
    default:
      delete this;
    }
  }

private:
  grpc::AsyncGenericService *service_;
  grpc::ServerCompletionQueue *queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer message_;
  int state_ = 0;
};

int
serve (const std::string &path)
{
  static const char ready[4] = {};
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort ("unix:" + path, grpc::InsecureServerCredentials ());
  builder.RegisterAsyncGenericService (&service);
  auto queue = builder.AddCompletionQueue ();
  auto server = builder.BuildAndStart ();
  if (server == nullptr ||
      write (STDOUT_FILENO, ready, sizeof ready) != sizeof ready)
    return 1;

  new ServedCall (&service, queue.get ());
  void *tag;
  bool is_good;
  while (queue->Next (&tag, &is_good))
    static_cast<ServedCall *> (tag)->step (is_good);
  return 0;
}

// ---------------------------------------------------------------- client ---

using Clock = std::chrono::steady_clock;

struct Call {
  grpc::GenericStub *stub;
  grpc::Status status;
  grpc::ByteBuffer reply;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
};

class Caller
{
public:
  Caller (const std::string &path, int n_clients, int depth)
  {
    grpc::ChannelArguments args;
    args.SetInt (GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                 1); // else all share a socket
    for (int i = 0; i < n_clients; i++) {
      auto channel = grpc::CreateCustomChannel (
          "unix:" + path, grpc::InsecureChannelCredentials (), args);
      stubs_.push_back (std::make_unique<grpc::GenericStub> (channel));
    }
    for (int i = 0; i < n_clients * depth; i++) {
      calls_.push_back (std::make_unique<Call> ());
      calls_.back ()->stub = stubs_[i % n_clients].get ();
    }
  }

  void run (long ms)
  {
    auto start = Clock::now ();
    auto end = start + std::chrono::milliseconds (ms);
    for (auto &call : calls_)
      begin (call.get ());

    long n_calls = 0;
    auto now = start;
    for (; now < end; now = Clock::now (), n_calls++)
      begin (take ());
    for (size_t i = 0; i < calls_.size (); i++)
      take ();
    double us =
        std::chrono::duration<double, std::micro> (now - start).count ();
    printf ("%f %ld\n", us / static_cast<double> (n_calls),
            n_calls + static_cast<long> (calls_.size ()));
    fflush (stdout);
  }

private:
  void begin (Call *call)
  {
    call->context = std::make_unique<grpc::ClientContext> ();
    call->reader = call->stub->PrepareUnaryCall (
        call->context.get (), "/reeve.Bench/Nothing",
        grpc::ByteBuffer (&nothing_, 1), &queue_);
    call->reader->StartCall ();
    call->reader->Finish (&call->reply, &call->status, call);
  }

  Call *take ()
  {
    void *tag;
    bool is_good;
    if (!queue_.Next (&tag, &is_good) ||
        !static_cast<Call *> (tag)->status.ok ()) {
      fprintf (stderr, "gRPC: a call failed\n");
      exit (1);
    }
    return static_cast<Call *> (tag);
  }

  grpc::Slice nothing_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub> > stubs_;
  std::vector<std::unique_ptr<Call> > calls_;
};

} // namespace

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "serve") == 0)
    return serve (argv[2]);
  if (argc != 5 || strcmp (argv[1], "call") != 0) {
    fprintf (stderr, "usage: %s serve PATH | call PATH N_CLIENTS DEPTH\n",
             argv[0]);
    return 2;
  }

  Caller caller (argv[2], atoi (argv[3]), atoi (argv[4]));
  char line[32];
  while (fgets (line, sizeof line, stdin) != nullptr)
    caller.run (atol (line));
  return 0;
}
