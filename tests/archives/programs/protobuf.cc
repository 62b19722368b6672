#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <memory>
#include <string>

using namespace google::protobuf;

/* A message type that is made at run time, written as bytes, read back, and printed as JSON. */
extern "C" int check() {
  FileDescriptorProto file;
  file.set_name("point.proto");
  DescriptorProto *type = file.add_message_type();
  type->set_name("Point");
  FieldDescriptorProto *field = type->add_field();
  field->set_name("x");
  field->set_number(1);
  field->set_type(FieldDescriptorProto::TYPE_INT32);
  field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  DescriptorPool pool;
  const FileDescriptor *built = pool.BuildFile(file);
  if (!built) return 1;
  const Descriptor *point = built->FindMessageTypeByName("Point");
  DynamicMessageFactory factory;
  std::unique_ptr<Message> message(factory.GetPrototype(point)->New());
  message->GetReflection()->SetInt32(message.get(), point->field(0), 150);
  std::string bytes = message->SerializeAsString();
  if (bytes != std::string("\x08\x96\x01")) return 2;
  std::unique_ptr<Message> again(factory.GetPrototype(point)->New());
  if (!again->ParseFromString(bytes)) return 3;
  if (again->GetReflection()->GetInt32(*again, point->field(0)) != 150) return 4;
  /* The file's own description, through reflection. */
  FileDescriptorProto copy;
  if (!copy.ParseFromString(file.SerializeAsString()) || copy.message_type(0).name() != "Point") return 5;
  std::string json;
  if (!util::MessageToJsonString(copy, &json).ok() || json.find("\"point.proto\"") == std::string::npos) return 6;
  return 42;
}
