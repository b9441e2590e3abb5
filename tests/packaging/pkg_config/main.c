/* Compiled by the C compiler with what pkg-config says, and nothing else. */
#include <serene/c_api.h>
#include <stdio.h>

int main(int argc, char** argv) {
  serene_model* model = NULL;
  serene_recognition result = {.struct_size = sizeof result};
  if (argc != 3 || serene_version_number() != SERENE_VERSION_NUMBER) return 1;
  if (serene_model_open(argv[1], NULL, &model) != SERENE_OK ||
      serene_recognize_file(model, argv[2], NULL, 0, &result) != SERENE_OK) {
    fprintf(stderr, "%s\n", serene_last_error());
    return 2;
  }
  printf("%s %s %.6f\n", serene_version(), serene_model_label(model, (size_t)result.label), result.probability);
  serene_model_close(model);
  return 0;
}
