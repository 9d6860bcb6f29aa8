# What both drivers written in Ruby share: the form of their answers, which answer.py describes.

def each_file
  STDIN.each_line(chomp: true) do |path|
    begin
      read = yield path
      puts ["ok", *read.map { |name, value| "#{name.unpack1("H*")}=#{value.unpack1("H*")}" }].join(" ")
    rescue StandardError, ScriptError => failure
      puts "err #{failure.class} #{failure.message.b.split.join(" ")[0, 300]}"
    end
  end
end
