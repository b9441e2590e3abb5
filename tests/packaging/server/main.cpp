// Links the history of calls, which stands in the library of the server.
#include <serene/server/history.h>

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const serene::History history(argv[1]);
  return history.list().empty() ? 0 : 3;
}
